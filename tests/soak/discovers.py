# SPDX-License-Identifier: Apache-2.0

"""Reports of one driver, over and over, while something is wrong.

usage: python -m tests.soak.discovers TRIAL AMOUNT SEED

A process of its own: the driver's options are one for the process. It prints
the figures as a JSON object.
"""

import gc
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from unittest import mock

import cyborg.cmd  # noqa: F401 (before all else of Cyborg)
from cyborg.conf import CONF
import psutil

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.drivers import nvmf
from cyborg_spdk import rpc
from tests.functional.fixtures import puppet

_WARM = 20
_UNITS = 20
_DISK = {'product': 'Malloc disk', 'block_size': 512, 'blocks': 2048}
# What a file of ours is replaced by; the last ones never end.
_HOSTILE = (b'', b'\0' * 1000, b'\xff\xfe', b'{', b'[]', b'null', b'"text"',
            b'{"version": 1e999}', b'[' * 100000, b'{"a":' * 100000,
            b'{"version": 1, "objects": {}}', b'9' * 100000)
_DAY = 24 * 3600


class _Host:
    """Targets of puppets, and a driver that reports them."""

    def __init__(self, directory, names=('nvmf',)):
        self.directory = directory
        CONF([], project='cyborg', default_config_files=[])
        spdk_conf.register(CONF)
        CONF.set_override('host', 'host')
        for name in ('run', 'state'):
            os.mkdir(os.path.join(directory, name), 0o750)
            CONF.set_override(f'{name}_path', os.path.join(directory, name),
                              group='spdk')
        for option, value in (
                ('nvmf_targets', list(names)), ('vhost_targets', []),
                ('iscsi_targets', []), ('wipe', 'none'),
                ('rpc_timeout', 2.0)):
            CONF.set_override(option, value, group='spdk')
        for name in names:
            spdk_conf.target(CONF, 'nvmf', name)
            CONF.set_override('start', False, group=name)
        self.puppets = [puppet.Puppet(os.path.join(
            directory, 'run', f'{name}.sock'), 'nvmf') for name in names]
        for one in self.puppets:
            one.units = {(number, 1): _DISK for number in range(_UNITS)}
            one.start()
        self.driver = nvmf.NvmfDriver()

    def state_files(self):
        """Paths of all files that are kept."""
        return [os.path.join(where, name) for where, _directories, names
                in os.walk(os.path.join(self.directory, 'state'))
                for name in names]

    def stop(self):
        """End the puppets."""
        for one in self.puppets:
            rpc.disconnect(one.path)
            one.stop()


def _stubs(devices):
    return sum(device.stub for device in devices)


def flat(host, amount, chance):
    """Nothing is wrong: nothing may grow."""
    del chance
    process = psutil.Process()
    before = None
    for number in range(_WARM + amount):
        host.driver.discover()
        for one in host.puppets:
            del one.asked[:]
        if number == _WARM - 1:
            before = _held(process)
    after = _held(process)
    return {'more MiB': round((after[0] - before[0]) / (1 << 20), 1),
            'more descriptors': after[1] - before[1],
            'more objects': after[2] - before[2]}


def _held(process):
    gc.collect()
    return (process.memory_info().rss, process.num_fds(),
            len(gc.get_objects()))


def hostile_files(host, amount, chance):
    """Files of ours are replaced by others; the report goes on."""
    figures = {'raised': 0, 'reports too long': 0, 'seconds': 0.0}
    host.driver.discover()
    for number in range(amount):
        for path in host.state_files():
            if chance.random() < 0.3:
                _replace(path, chance)
        if number % 2:
            host.driver = nvmf.NvmfDriver()
        began = time.monotonic()
        try:
            host.driver.discover()
        except Exception:
            figures['raised'] += 1
        seconds = time.monotonic() - began
        figures['reports too long'] += seconds > 60
        figures['seconds'] = max(figures['seconds'], round(seconds, 1))
    return figures


def _replace(path, chance):
    os.unlink(path)
    kind = chance.randrange(5)
    if kind == 0:
        os.mkfifo(path)
    elif kind == 1:
        os.symlink(chance.choice(('/dev/zero', '/dev/stdin', path,
                                  '/nowhere', '/etc/passwd')), path)
    else:
        with open(path, 'wb') as stream:
            stream.write(chance.choice(_HOSTILE))


def hung(host, amount, chance):
    """The first of two targets answers nothing; the other is reported."""
    del chance
    figures = {'others unread': 0, 'seconds': 0.0}
    held = host.puppets[0]
    held.stop()
    program = ('import socket, sys\n'
               's = socket.socket(socket.AF_UNIX)\n'
               's.bind(sys.argv[1]); s.listen(64); print(flush=True)\n'
               'kept = []\n'
               'while True: kept.append(s.accept())\n')
    os.unlink(held.path)
    process = subprocess.Popen([sys.executable, '-c', program, held.path],
                               stdout=subprocess.PIPE)
    process.stdout.readline()
    try:
        for _ in range(amount):
            began = time.monotonic()
            devices = host.driver.discover()
            figures['seconds'] = max(
                figures['seconds'], round(time.monotonic() - began, 1))
            figures['others unread'] += _stubs(devices) != 1
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    return figures


def clocks(host, amount, chance):
    """The clock is set forth and back between the reports."""
    figures = {'raised': 0, 'not reported': 0}
    true = time.time
    shift = 0.0
    with mock.patch('time.time', lambda: true() + shift):
        for _ in range(amount):
            shift = chance.choice((0.0, 1.0, -1.0)) * chance.random() * \
                chance.choice((60, _DAY, 400 * _DAY))
            # A report is made in full and not from what was kept.
            host.puppets[0].units[chance.randrange(_UNITS), 1] = {
                **_DISK, 'blocks': 2048 + chance.randrange(9)}
            try:
                devices = host.driver.discover()
            except Exception:
                figures['raised'] += 1
            else:
                figures['not reported'] += _stubs(devices) or \
                    len(devices) != 1
    return figures


_TRIALS = {'flat': (flat, ('nvmf',)), 'hostile files': (
    hostile_files, ('nvmf',)), 'hung': (hung, ('first', 'second')),
    'clocks': (clocks, ('nvmf',))}


def main(name, amount, seed):
    """Make the reports."""
    trial, names = _TRIALS[name]
    with tempfile.TemporaryDirectory() as directory:
        host = _Host(directory, names)
        try:
            figures = trial(host, int(amount), random.Random(int(seed)))
        finally:
            host.stop()
    print(json.dumps(figures))


def of(name):
    """A function that makes the reports of a trial in a process."""
    def run(amount, seed):
        done = subprocess.run(
            [sys.executable, '-W', 'ignore', '-m', 'tests.soak.discovers',
             name, str(amount), str(seed)], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, env={
                **os.environ, 'PYTHONPATH': os.pathsep.join(
                    filter(None, sys.path))})
        if done.returncode:
            raise RuntimeError(f'{name}: {done.stderr[-3000:]}')
        return json.loads(done.stdout.splitlines()[-1])
    return run


if __name__ == '__main__':
    main(*sys.argv[1:])
