# SPDX-License-Identifier: Apache-2.0

"""One round in a process that is killed at a moment that a test chooses.

    python killed.py CONFIGURATION NUMBER [SIGNAL]

kills itself with SIGKILL (or sends itself the signal) as one of the steps
below begins: the first such moment is number 0. If there is none of that
number, the round ends well, and the exit status is 0.
"""

import functools
import os
import signal
import sys

from keystoneauth1 import loading
from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.service import options
from cyborg_spdk.service.plug import duty
from cyborg_spdk.service.plug import hypervisor
from cyborg_spdk.service.plug import ways
from cyborg_spdk.units.attach import vhost
from cyborg_spdk.units import placement
from cyborg_spdk.units import reservation
from cyborg_spdk.units.wipe import marks

#: What is seen from outside of the process.
STEPS = ((marks, 'save'), (reservation, '_set'), (vhost, '_give'),
         (ways, 'let_in'), (ways, 'take_out'),
         (hypervisor.Hypervisor, 'attach'), (hypervisor.Hypervisor, 'detach'))


def kill_at(number, what):
    """Count the moments; send the signal at one."""
    moments = iter(range(sys.maxsize))

    def moment():
        if next(moments) == number:
            os.kill(os.getpid(), what)

    def watched(step):
        @functools.wraps(step)
        def do(*arguments, **named):
            moment()
            return step(*arguments, **named)
        return do

    for place, name in STEPS:
        setattr(place, name, watched(getattr(place, name)))


def main(path, number, what=signal.SIGKILL):
    conf = cfg.ConfigOpts()
    spdk_conf.register(conf)
    placement.register_opts(conf)
    conf.register_opts(loading.get_auth_plugin_conf_options('admin_token'),
                       group=placement.GROUP)
    conf(['--config-file', path])
    options.check(conf)
    kill_at(int(number), int(what))
    work = duty.PlugUnits(conf, lambda _name: None)
    work.run()
    work.close()


if __name__ == '__main__':
    main(*sys.argv[1:])
