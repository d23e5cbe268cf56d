# SPDX-License-Identifier: Apache-2.0
"""cyborg-agent with a shorter minute; run as a script.

usage: agent_main.py SECONDS [OPTION...]

Everything is what the program ``cyborg-agent`` is, its fork, too. Only the
time between two reports, which no option sets, is SECONDS. If the variable
CYBORG_SPDK_TEST_REPORTS names a file, there is no conductor elsewhere, and
each report is written there as a line of JSON.
"""

import json
import os
import sys

# Before oslo.service, whose backend it chooses.
import cyborg.cmd  # noqa: F401

from oslo_service import periodic_task

periodic_task.DEFAULT_INTERVAL = float(sys.argv.pop(1))

from cyborg.agent import manager  # noqa: E402
from cyborg.cmd import agent  # noqa: E402
from cyborg.common import constants  # noqa: E402
from cyborg.common import rpc  # noqa: E402
from cyborg.objects import base  # noqa: E402
import oslo_messaging  # noqa: E402


class _Conductor:
    target = oslo_messaging.Target(version='1.0')

    def report_data(self, _context, hostname, driver_device_list):
        """Write one report down."""
        with open(os.environ['CYBORG_SPDK_TEST_REPORTS'], 'a') as out:
            out.write(json.dumps({'pid': os.getpid(), 'host': hostname, **{
                json.loads(one.controlpath_id.cpid_info)['target']:
                    None if one.stub else len(one.deployable_list)
                for one in driver_device_list}}) + '\n')


def _init_host(_self):
    server = rpc.get_server(
        oslo_messaging.Target(topic=constants.CONDUCTOR_TOPIC, server='here'),
        [_Conductor()], base.CyborgObjectSerializer())
    server.start()


if __name__ == '__main__':
    if 'CYBORG_SPDK_TEST_REPORTS' in os.environ:
        # In the worker, before its first report.
        manager.AgentManager.init_host = _init_host
    sys.exit(agent.main())
