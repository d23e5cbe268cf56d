# SPDX-License-Identifier: Apache-2.0

"""The long forms of tests that the gate runs short."""

import os
import re
import subprocess
import sys


def of(module, variable, **environment):
    """A function that runs a test module in its long form.

    :param module: name of the module.
    :param variable: what says how often, in the environment.
    :param environment: more of it.
    """
    def run(amount, seed):
        done = subprocess.run(
            [sys.executable, '-W', 'ignore', '-m', 'testtools.run', module],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors='replace',
            check=False, env={
                **os.environ, **environment, variable: str(amount),
                'CYBORG_SPDK_TEST_SEED': str(seed), 'OS_TEST_TIMEOUT': '0',
                'PYTHONPATH': os.pathsep.join(filter(None, sys.path))})
        ran = re.search(r'^Ran (\d+) test', done.stdout, re.MULTILINE)
        if done.returncode or not ran:
            print(done.stdout[-5000:], file=sys.stderr)
        return {'tests that ran': int(ran[1]) if ran else 0,
                'failures': int(done.returncode != 0 or not ran)}
    return run
