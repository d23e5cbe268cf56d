# SPDX-License-Identifier: Apache-2.0

"""How long a target takes to have all of its namespaces again.

    python -m benchmarks.restore [--spdk-dir DIR] [--namespaces 4096]

In one run, on one machine: the desired state of this project, SPDK's own
``-c FILE``, and ``rpc.py load_config`` (where SPDK's directory has it). Then
how long a look takes, which compares what the target has with what it is to
have. Without ``--spdk-dir`` the simulator is started.

Counted from the start of the program to the last object; ``from init`` is
from the reply to framework_start_init on. The aims, on a real v26.05: 3 s
from init, and 1 s for a look. On a machine with other work the seconds of CPU
say more: those of this program, with what it runs, and those that the target
got, which takes all that it can get.
"""

import argparse
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from oslo_config import cfg
import psutil

from benchmarks import machine
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import configuration
from cyborg_spdk.desired import keep
from cyborg_spdk.desired import objects
from cyborg_spdk.desired import starting
from cyborg_spdk.desired import store
from cyborg_spdk.host import process
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


class Moment:
    """Seconds of the clock, of our CPU, and of a target's.

    :param pid: of the target, or None while it does not run.
    """

    def __init__(self, pid=None):
        self.clock = time.perf_counter()
        self.ours = sum(sum(resource.getrusage(who)[:2]) for who in (
            resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        times = psutil.Process(pid).cpu_times() if pid else None
        self.target = times.user + times.system if times else 0.0

    def since(self, before):
        """A row: the seconds from another moment to this one."""
        return [f'{value:.1f}' for value in (
            self.clock - before.clock, self.ours - before.ours,
            self.target - before.target)]


def _init_noted(moments):
    """Have the moment noted at which a target is initialised."""
    real = starting._Giver._initialise

    def noted(self, client, deadline):
        real(self, client, deadline)
        moments.append(Moment(process.find(self._target).pid))

    starting._Giver._initialise = noted


def by_desired_state(conf, target, wanted):
    """Rows: in all, and from the initialisation on."""
    with store.locked(conf, target, 'benchmark'):
        state = store.load(conf, target)
        state.objects = objects.of_config(wanted)
        state.process = None
        store.save(state)
    moments = []
    _init_noted(moments)
    began = Moment()
    running = starting.ensure(conf, target, force=True)
    ended = Moment(running.process.pid)
    assert not running.missing, running.missing[:3]
    return ended.since(began), ended.since(moments[-1])


def looks(conf, target, client):
    """Rows of looks at a target that has all (medians of five).

    In full, which reads and compares every object, and at one that has not
    changed since.
    """
    pid = process.find(target).pid
    rows = []
    for at_once in (True, False):
        took = []
        for _ in range(5):
            began = Moment(pid)
            result = keep.look(conf, target, client, at_once=at_once)
            ended = Moment(pid)
            took.append((ended.clock - began.clock, ended.ours - began.ours,
                         ended.target - began.target))
            assert not result.missing
        rows.append([f'{statistics.median(column):.2f}'
                     for column in zip(*took, strict=True)])
    return rows


def by_spdk(target, spdk_dir, directory, arguments, wanted, then=None):
    """A row: until a program has all namespaces that was started so.

    :param then: called with the address of the program when it answers.
    """
    path = os.path.join(directory, 'other.sock')
    began = Moment()
    with open(os.path.join(directory, 'other.log'), 'wb') as log:
        program = subprocess.Popen(
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
                if program.poll() is not None:
                    raise
                time.sleep(0.01)
        if then is not None:
            then(path)
        assert count_namespaces(client) == wanted
        return Moment(program.pid).since(began)
    finally:
        rpc.disconnect(path)
        program.send_signal(signal.SIGTERM)
        program.wait()


def run(spdk_dir, count):
    """Measure, and print a table."""
    wanted = config(count)
    with tempfile.TemporaryDirectory(prefix='bench-') as directory:
        conf, target, found = options(directory, spdk_dir)
        total, from_init = by_desired_state(conf, target, wanted)
        client = rpc.connect(target.rpc_address)
        assert count_namespaces(client) == count
        rows = [['desired state, in all', *total],
                ['desired state, from init', *from_init]]
        for name, row in zip(('one look, in full',
                              'one look, nothing has changed'),
                             looks(conf, target, client), strict=True):
            rows.append([name, *row])
        starting.stop(conf, target, kill=True)
        file = os.path.join(directory, 'wanted.json')
        with open(file, 'wb') as stream:
            stream.write(configuration.dump(wanted))
        script = os.path.join(found, 'scripts', 'rpc.py')
        if os.path.exists(script):
            rows.append(['rpc.py load_config', *by_spdk(
                target, found, directory, [], count,
                lambda path: _load(script, path, file))])
        rows.append(['-c FILE', *by_spdk(
            target, found, directory, ['-c', file], count)])
    print(machine.describe())
    machine.table([f'{count} namespaces', 'seconds', 'our CPU',
                   "the target's CPU"], rows)


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
