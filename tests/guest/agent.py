# SPDX-License-Identifier: Apache-2.0

"""A service that treats the drivers as Cyborg's agent does; run in the guest.

The agent itself needs a message bus and a conductor. This loads the drivers
of ``[agent] enabled_drivers`` by their entry points and calls ``discover()``
of each, one after the other, again and again.

usage: agent.py CONFIGURATION
"""

import os
import socket
import sys
import threading

from cyborg import conf
from stevedore import driver

# Seconds between two reports; the agent's default is 60.
_INTERVAL = 5


def _tell_systemd(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(text.encode(), os.environ['NOTIFY_SOCKET'])


def main(path):
    conf.CONF([], project='cyborg', default_config_files=[path])
    drivers = [
        driver.DriverManager(namespace='cyborg.accelerator.driver',
                             name=name, invoke_on_load=True).driver
        for name in conf.CONF.agent.enabled_drivers]
    pause = threading.Event()
    while True:
        devices = [device for one in drivers for device in one.discover()]
        for device in devices:
            print(device.std_board_info, flush=True)
        if not any(device.stub for device in devices):
            # A report does not wait for a target that is slow to start.
            _tell_systemd('READY=1')
        pause.wait(_INTERVAL)


if __name__ == '__main__':
    main(*sys.argv[1:])
