# SPDX-License-Identifier: Apache-2.0

"""What reports cost Cyborg's conductor, in full and when nothing is new.

    python benchmarks/report_cost.py [--counts] [UNITS ...]

One nvmf target (a puppet that answers at once) gets as many namespaces as
each number given (default 50 200 1000 2000). Counted are the statements of
Cyborg's database and the requests to Placement, the conductor's and ours, in
one report: in full, as every report was before, by ``[spdk]
full_report_interval = 0``; and with the default, when nothing has changed,
also right after a restart of the agent. The number of reports until all
units were there is counted with and without ``max_new_units_limit``;
``--counts`` leaves out the latter, which takes the longest.
``CYBORG_SPDK_TEST_DATABASE=mariadb`` uses MariaDB.
"""

import os
import sys
import time
import warnings

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(
    __file__))))
warnings.simplefilter('ignore')

import cyborg.cmd  # noqa: E402, F401  it chooses oslo.service's threads
from keystoneauth1 import session  # noqa: E402
import prettytable  # noqa: E402
import sqlalchemy  # noqa: E402

from tests.functional.fixtures import node as nodes  # noqa: E402

#: Namespaces of one subsystem.
_WIDTH = 32


class Counter:
    """Counts statements of Cyborg's database and requests to Placement."""

    def __init__(self):
        self.statements = self.requests = 0
        sqlalchemy.event.listen(sqlalchemy.engine.Engine,
                                'before_cursor_execute', self._statement)
        whole = session.Session.request

        def request(this, *args, **kwargs):
            self.requests += 1
            return whole(this, *args, **kwargs)

        session.Session.request = request

    def _statement(self, connection, _cursor, _text, *_rest):
        # Placement's own statements are Placement's business. Of sqlite it
        # is a path.
        if os.path.basename(connection.engine.url.database or '').startswith(
                'cyborg'):
            self.statements += 1

    def of(self, function):
        """Statements, requests and seconds of a call."""
        self.statements = self.requests = 0
        begin = time.perf_counter()
        function()
        return (self.statements, self.requests,
                time.perf_counter() - begin)


def ramp(size, limit):
    """A node whose units are all there, and how many reports it took."""
    node = nodes.Node({'nvmf': ['spdk_nvmf']})
    node.options.update(full_report_interval=0, max_new_units_limit=limit)
    node.puppets['spdk_nvmf'].units = {
        (1 + number // _WIDTH, 1 + number % _WIDTH): nodes.DISK
        for number in range(size)}
    reports, longest = 0, 0.0
    while not reports or len(node.providers()) < size:
        begin = time.perf_counter()
        node.report()
        reports, longest = reports + 1, max(longest,
                                            time.perf_counter() - begin)
    return node, reports, longest


def main(args):
    """Measure and print; returns the exit status."""
    limits = (200,) if '--counts' in args else (1, 200)
    sizes = sorted({int(arg) for arg in args if arg.isdigit()}) or [
        50, 200, 1000, 2000]
    counter = Counter()
    table = prettytable.PrettyTable(
        ['units', 'report', 'statements', 'requests to Placement',
         'seconds'])
    table.align = 'r'
    ramps = prettytable.PrettyTable(
        ['units', 'max_new_units_limit', 'reports', 'longest'])
    ramps.align = 'r'
    for size in sizes:
        for limit in limits:
            node, reports, longest = ramp(size, limit)
            ramps.add_row([size, limit, reports, f'{longest:.1f} s'])
            try:
                if limit == 1:
                    continue
                node.report()
                rows = [('in full', counter.of(node.report))]
                del node.options['full_report_interval']
                node.configure()
                nodes.cfg.CONF.clear_override('full_report_interval',
                                              group='spdk')
                node.report()
                rows.append(('unchanged', counter.of(node.report)))
                node.restart()
                rows.append(('after a restart', counter.of(node.report)))
                for name, (statements, requests, seconds) in rows:
                    table.add_row([size, name, statements, requests,
                                   f'{seconds:.3f}'])
            finally:
                nodes.cfg.CONF.clear_override('full_report_interval',
                                              group='spdk')
                node.close()
    print(f'database: {node.cloud.database}')
    print(table)
    print(ramps)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
