# SPDX-License-Identifier: Apache-2.0

"""How long a target takes to have all of its namespaces again.

    python -m benchmarks.restore [--spdk-dir DIR] [--namespaces 4096]

In one run, on one machine: the desired state of this project, SPDK's own
``-c FILE``, and ``rpc.py load_config`` (where SPDK's directory has it). Then
how long a look takes, which compares what the target has with what it is to
have. Without ``--spdk-dir`` the simulator is started.

Counted from the start of the program to the last object; ``from init`` is
from the reply to framework_start_init on. The aims, on a real v26.05: 3 s
from init, and 1 s for a look.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import configuration
from cyborg_spdk.desired import keep
from cyborg_spdk.desired import objects
from cyborg_spdk.desired import starting
from cyborg_spdk.desired import store
from cyborg_spdk import rpc

#: Namespaces of one subsystem.
_EACH = 256
NAME = 'spdk_nvmf'


def config(count):
    """A configuration of so many namespaces, each on a bdev of its own."""
    bdevs = [{'method': 'bdev_null_create', 'params': {
        'name': f'N{number}', 'num_blocks': 2048, 'block_size': 512}}
        for number in range(count)]
    nvmf = [{'method': 'nvmf_create_transport', 'params': {
        'trtype': 'TCP'}}]
    for first in range(0, count, _EACH):
        nqn = f'nqn.2016-06.io.spdk:s{first}'
        nvmf.append({'method': 'nvmf_create_subsystem', 'params': {
            'nqn': nqn, 'allow_any_host': True, 'max_namespaces': _EACH}})
        nvmf += [{'method': 'nvmf_subsystem_add_ns', 'params': {
            'nqn': nqn, 'namespace': {
                'bdev_name': f'N{number}', 'nsid': number - first + 1}}}
            for number in range(first, min(count, first + _EACH))]
    return {'subsystems': [{'subsystem': 'bdev', 'config': bdevs},
                           {'subsystem': 'nvmf', 'config': nvmf}]}


def options(directory, spdk_dir):
    """Options of one target with its files in a private directory."""
    conf = cfg.ConfigOpts()
    conf([])
    spdk_conf.register(conf)
    if spdk_dir is None:
        spdk_dir = os.path.join(directory, 'spdk')
        subprocess.run([sys.executable, '-m', 'spdk_simulator', 'install',
                        spdk_dir], check=True, stdout=subprocess.DEVNULL)
    for name, value in (('spdk_dir', spdk_dir), ('iscsi_targets', []),
                        ('vhost_targets', []), ('start_timeout', 600.0),
                        ('run_path', os.path.join(directory, 'run')),
                        ('state_path', os.path.join(directory, 'state'))):
        conf.set_override(name, value, group='spdk')
    target, = spdk_conf.targets(conf)
    conf.set_override('extra_args', ['--iova-mode=va'], group=NAME)
    return conf, spdk_conf.targets(conf)[0], spdk_dir


def count_namespaces(client):
    """How many namespaces a target has."""
    return sum(len(one.get('namespaces', ()))
               for one in client.call('nvmf_get_subsystems', _timeout=60))


def _init_noted(times):
    """Have the moment noted at which a target is initialised."""
    real = starting._Giver._initialise

    def noted(self, client, deadline):
        real(self, client, deadline)
        times.append(time.perf_counter())

    starting._Giver._initialise = noted


def by_desired_state(conf, target, wanted):
    """Seconds in all, and from the initialisation on."""
    with store.locked(conf, target, 'benchmark'):
        state = store.load(conf, target)
        state.objects = objects.of_config(wanted)
        state.process = None
        store.save(state)
    times = []
    _init_noted(times)
    began = time.perf_counter()
    running = starting.ensure(conf, target, force=True)
    ended = time.perf_counter()
    assert not running.missing, running.missing[:3]
    return ended - began, ended - times[-1]


def looks(conf, target, client):
    """Seconds of a look at a target that has all (median of five)."""
    took = []
    for _ in range(5):
        began = time.perf_counter()
        result = keep.look(conf, target, client)
        took.append(time.perf_counter() - began)
        assert not result.missing
    return statistics.median(took)


def by_spdk(target, spdk_dir, directory, arguments, wanted, then=None):
    """Seconds until a program has all namespaces that was started so.

    :param then: called with the address of the program when it answers.
    """
    path = os.path.join(directory, 'other.sock')
    began = time.perf_counter()
    with open(os.path.join(directory, 'other.log'), 'wb') as log:
        process = subprocess.Popen(
            [os.path.join(spdk_dir, 'build', 'bin', 'nvmf_tgt'), '-r', path,
             '-s', str(target.memory_mb), '-m', '0x1', '--iova-mode=va',
             *arguments], stdout=log, stderr=log, cwd=directory)
    try:
        while True:
            try:
                client = rpc.connect(path, timeout=600)
                client.call('spdk_get_version', _timeout=600)
                break
            except Exception:
                if process.poll() is not None:
                    raise
                time.sleep(0.01)
        if then is not None:
            then(path)
        assert count_namespaces(client) == wanted
        return time.perf_counter() - began
    finally:
        rpc.disconnect(path)
        process.send_signal(signal.SIGTERM)
        process.wait()


def run(spdk_dir, count):
    """Measure, and print a table."""
    wanted = config(count)
    with tempfile.TemporaryDirectory(prefix='bench-') as directory:
        conf, target, found = options(directory, spdk_dir)
        total, from_init = by_desired_state(conf, target, wanted)
        client = rpc.connect(target.rpc_address)
        assert count_namespaces(client) == count
        look = looks(conf, target, client)
        starting.stop(conf, target, kill=True)
        print(f'{count} namespaces, desired state: {total:.1f} s in all, '
              f'{from_init:.1f} s from init')
        print(f'{count} namespaces, one look: {look:.2f} s')
        file = os.path.join(directory, 'wanted.json')
        with open(file, 'wb') as stream:
            stream.write(configuration.dump(wanted))
        script = os.path.join(found, 'scripts', 'rpc.py')
        if os.path.exists(script):
            took = by_spdk(target, found, directory, [], count,
                           lambda path: _load(script, path, file))
            print(f'{count} namespaces, rpc.py load_config: {took:.1f} s')
        took = by_spdk(target, found, directory, ['-c', file], count)
        print(f'{count} namespaces, -c FILE: {took:.1f} s')


def _load(script, path, file):
    with open(file) as stream:
        subprocess.run(
            [sys.executable, script, '-s', path, '-t', '600',
             'load_config'], stdin=stream, check=True,
            stdout=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.partition('\n')[0])
    parser.add_argument('--spdk-dir', default=os.environ.get(
        'CYBORG_SPDK_TEST_SPDK_DIR'))
    parser.add_argument('--namespaces', type=int, default=4096)
    arguments = parser.parse_args()
    run(arguments.spdk_dir, arguments.namespaces)


if __name__ == '__main__':
    main()
