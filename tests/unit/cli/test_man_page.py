# SPDX-License-Identifier: Apache-2.0

import argparse
import os
import re

import testtools

from cyborg_spdk.cli import manager

_PAGE = os.path.join(os.path.dirname(__file__), '..', '..', '..', 'doc', 'man',
                     'cyborg-spdk.1')
#: Described on other pages of the documentation, or by themselves.
_ELSEWHERE = ('rpc', 'simulate', 'complete', 'help')


class ManPageTest(testtools.TestCase):

    def test_it_has_every_command_with_its_options(self):
        """``tox -e man`` writes it anew."""
        with open(_PAGE) as stream:
            page = stream.read().replace('\\-', '-')
        commands = manager.Manager('cyborg_spdk.cli')
        missing = []
        for name, _summary in commands.summaries():
            if name in _ELSEWHERE:
                continue
            # Its usage is on one line, or on several.
            *_, part = re.split(
                f'\ncyborg-spdk {name}(?=\n| \\[| [A-Z])', page, maxsplit=1)
            part, _, _ = part.partition('\n.SH ')
            parser = commands.find_command(name.split())[0](
                None, None).get_parser(f'cyborg-spdk {name}')
            missing += [
                (name, *action.option_strings) for action in parser._actions
                if action.option_strings
                and action.help != argparse.SUPPRESS and action.dest != 'help'
                and not any(one in part for one in action.option_strings)]
        self.assertEqual([], missing)
