# SPDX-License-Identifier: Apache-2.0

"""How long reports of one target take, while its units ramp up.

    python benchmarks/report_time.py [UNITS ...]

One nvmf target (a puppet that answers at once) gets as many namespaces as
the largest number given (default 50 200 1000 2000), and the agent reports
them as it does, 50 new ones at a time, through the real conductor into
Cyborg's database and Placement. ``CYBORG_SPDK_TEST_DATABASE=mariadb`` uses
MariaDB. Printed are, at each number of units: the time of the report that
reached it, of the next one (nothing new), of discover() in it, of the bare
RPC round, and the difference: what is ours.
"""

import os
import statistics
import sys
import time
import warnings

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(
    __file__))))
warnings.simplefilter('ignore')

import cyborg.cmd  # noqa: E402, F401  it chooses oslo.service's threads
import prettytable  # noqa: E402

from cyborg_spdk import rpc  # noqa: E402
from tests.functional.fixtures import node as nodes  # noqa: E402

#: Namespaces of one subsystem.
_WIDTH = 32
#: Repetitions of what takes well under a second.
_REPEAT = 5


def timed(function, *args):
    """Seconds that a call takes."""
    begin = time.perf_counter()
    function(*args)
    return time.perf_counter() - begin


def bare_round(path):
    """The calls of a reading, decoded and nothing more."""
    client = rpc.connect(path)
    client.call_many([rpc.Request('nvmf_get_subsystems'),
                      rpc.Request('bdev_get_bdevs')])


def main(args):
    """Measure and print; returns the exit status."""
    sizes = sorted({int(arg) for arg in args}) or [50, 200, 1000, 2000]
    node = nodes.Node({'nvmf': ['spdk_nvmf']})
    table = prettytable.PrettyTable(
        ['units', 'reports', 'longest report', 'report that reached it',
         'next report', 'discover()', 'bare RPC', 'ours'])
    table.align = 'r'
    try:
        puppet = node.puppets['spdk_nvmf']
        reports, longest = 0, 0.0
        for size in sizes:
            puppet.units = {
                (1 + number // _WIDTH, 1 + number % _WIDTH): nodes.DISK
                for number in range(size)}
            while len(node.handles()) < size:
                last = timed(node.report)
                reports, longest = reports + 1, max(longest, last)
                print(f'report {reports}: {last:.2f} s', file=sys.stderr)
            steady = timed(node.report)
            node.configure()
            driver = node.tracker.acc_drivers[0]
            discover = statistics.median(
                timed(driver.discover) for _ in range(_REPEAT))
            bare = statistics.median(
                timed(bare_round, puppet.path) for _ in range(_REPEAT))
            table.add_row([size, reports, *(
                f'{value:.3f} s' for value in (
                    longest, last, steady, discover, bare,
                    discover - bare))])
        print(f'database: {node.cloud.database}')
        print(table)
    finally:
        node.close()
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
