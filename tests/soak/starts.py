# SPDX-License-Identifier: Apache-2.0

"""Commands that start one target at the same time."""

import subprocess
import sys

import psutil

from tests.functional.fixtures import host as hosts

_AT_ONCE = 4


def _processes(socket_path):
    found = 0
    for process in psutil.process_iter(['cmdline']):
        command = process.info['cmdline'] or []
        found += socket_path in command and any(
            part.endswith('/nvmf_tgt') for part in command)
    return found


def run(amount, seed):
    """Start a target by several commands at once, and end it.

    :param amount: how many rounds.
    :returns: counts: ``started``, ``processes too many``,
        ``commands that failed`` and ``left running``.
    """
    del seed
    figures = dict.fromkeys(('started', 'processes too many',
                             'commands that failed', 'left running'), 0)
    with hosts.Host() as host:
        command = [sys.executable, '-W', 'ignore', '-m',
                   'cyborg_spdk.cli.main', '--config-file',
                   host.config_file(), 'target']
        address = host.target().rpc_address
        for _ in range(amount):
            for process in [subprocess.Popen(
                    [*command, 'start'], stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                    text=True, errors='replace')
                    for _ in range(_AT_ONCE)]:
                _out, said = process.communicate()
                if process.returncode:
                    figures['commands that failed'] += 1
                    print(said, file=sys.stderr)
            there = _processes(address)
            figures['started'] += there > 0
            figures['processes too many'] += max(0, there - 1)
            subprocess.run([*command, 'stop'], check=True,
                           stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL)
            figures['left running'] += _processes(address)
    return figures
