# SPDX-License-Identifier: Apache-2.0

"""The tests that are about databases, on MariaDB too.

sqlite takes values that are too long, and has other locks. A process has one
cloud with one kind of database, so these are processes of their own. They
are there where mariadbd is installed; ``CYBORG_SPDK_TEST_DATABASE`` runs
everything on one kind and leaves this out.
"""

import os
import subprocess
import sys
import unittest

from tests.functional.fixtures import mariadb

_TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.dirname(os.path.abspath(__file__)))))


class MariadbTest(unittest.TestCase):

    def run_module(self, name, **environ):
        done = subprocess.run(
            [sys.executable, '-W', 'ignore', '-m', 'unittest', name],
            cwd=_TOP, env={**os.environ, **environ,
                           'CYBORG_SPDK_TEST_DATABASE': 'mariadb'},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertRegex(done.stdout, r'\nRan [1-9]')

    def test_behaviour(self):
        self.run_module('tests.functional.report.test_cyborg_behaviour')

    def test_operator(self):
        self.run_module('tests.functional.report.test_cyborg_operator')

    def test_histories(self):
        examples = os.environ.get('CYBORG_SPDK_TEST_EXAMPLES', '2')
        self.run_module('tests.functional.report.test_cyborg_properties',
                        CYBORG_SPDK_TEST_EXAMPLES=examples)


def load_tests(loader, _tests, _pattern):
    """Only where there is a MariaDB, and no choice was made."""
    suite = loader.suiteClass()
    if all(mariadb.programs()) and not os.environ.get(
            'CYBORG_SPDK_TEST_DATABASE'):
        suite.addTests(loader.loadTestsFromTestCase(MariadbTest))
    return suite
