# SPDX-License-Identifier: Apache-2.0

"""What is shown on a terminal only, and how a table stays in its place."""

import io
import threading

import testtools

from cyborg_spdk.cli import progress
from cyborg_spdk.cli import stats
from cyborg_spdk.host import steps


class Terminal(io.StringIO):
    """A terminal that tells when something was written to it."""

    def __init__(self):
        super().__init__()
        self.written = threading.Event()

    def isatty(self):
        return True

    def flush(self):
        self.written.set()


class ProgressTest(testtools.TestCase):

    def test_nothing_in_a_pipe(self):
        pipe = io.StringIO()
        with progress.showing(pipe):
            steps.tell('nvmf', 'initialising')
        self.assertEqual('', pipe.getvalue())

    def test_nothing_of_what_is_quick(self):
        terminal = Terminal()
        with progress.showing(terminal):
            steps.tell('nvmf', 'initialising')
        self.assertEqual('', terminal.getvalue())

    def test_the_step_is_shown_and_goes(self):
        terminal = Terminal()
        with progress.showing(terminal):
            steps.tell('nvmf', 'reserving huge pages')
            steps.tell('vhost', 'initialising')
            steps.tell('nvmf', '')
            self.assertTrue(terminal.written.wait(60))
        self.assertIn('vhost: initialising', terminal.getvalue())
        self.assertNotIn('huge pages', terminal.getvalue())
        self.assertTrue(terminal.getvalue().endswith('\r\x1b[K'))
        # Nobody listens any more.
        terminal.truncate(0)
        steps.tell('vhost', 'too late')
        self.assertNotIn('too late', terminal.getvalue())


class InPlaceTest(testtools.TestCase):

    def test_all_fits(self):
        self.assertEqual('\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J',
                         stats.in_place('a\nb\n', 24))

    def test_the_terminal_is_too_low(self):
        text = stats.in_place('\n'.join(map(str, range(10))), 5)
        self.assertIn('2\x1b[K', text)
        self.assertNotIn('3\x1b[K', text)
        self.assertIn('... 7 more lines', text)
        self.assertEqual(4, text.count('\n'))
