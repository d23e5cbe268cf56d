# SPDX-License-Identifier: Apache-2.0

"""A user who has been taken over calls the privileged helper.

usage: python -m tests.soak.hostile_calls CONFIG DIRECTORY CALLS SEED

It runs as that user, with a configuration that names the helper's command
and a directory of its own, in which it keeps exchanging directories, files
and links. It prints a JSON object: how many calls were answered, refused and
lost.
"""

import contextlib
import json
import os
import random
import sys
import threading

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host import helper
from cyborg_spdk.host import privileged

_ENTRY = f'{privileged.__name__}.perform'

_FUNCTIONS = ('add_hugepages', 'mount_hugetlbfs', 'make_directories',
              'bind_devices', 'start_target', 'poll_target',
              'release_target', 'signal_target', 'trim_log', 'ask')

# Functions that oslo.privsep would import a module for.
_FOREIGN = ('os.system', 'antigravity.fly', 'subprocess.run', 'builtins.exec',
            'cyborg_spdk.host.privileged.context', 'shutil.rmtree',
            'cyborg_spdk.host.machine.spawn.start', 'this.s', 'pty.spawn',
            'cyborg_spdk.host.privileged._FUNCTIONS', 'posix.unlink')


def _texts(where: str) -> list[str]:
    return ['', 'nvmf', 'own', 'vhost', 'nvmf\n', '-c', '--json', '-r',
            '--env-context=-d/tmp/x.so', 'saved', 'config_file',
            '--wait-for-rpc', '--json-ignore-init-errors', '/bin/sh',
            '/etc/passwd', '/root/x', '../../etc', '$(id)', '`id`', ';id',
            'a\0b', '\x1b[2J', '\ud800', 'x' * 5000, f'{where}/nvmf_tgt',
            f'{where}/link', f'{where}/evil.sock', f'{where}/own.sock',
            '/proc/self/fd/0', '/dev/stdin', '%s%s%n', 'unix:/x', 'ssh://x/y']


class _Hostile:

    def __init__(self, conf: cfg.ConfigOpts, where: str,
                 seed: int) -> None:
        self.conf = conf
        self.random = random.Random(seed)
        self.where = where
        self.texts = _texts(where)
        self.texts += [target.rpc_address for target
                       in spdk_conf.targets(conf)] * 5
        self.pids = [0, 1, 2, os.getpid(), os.getppid()]
        self.counts = {'answered': 0, 'refused': 0, 'lost': 0}

    def value(self, depth: int = 0) -> object:
        """Anything that msgpack can carry."""
        kind = self.random.randrange(12 if depth < 3 else 8)
        if kind < 3:
            return self.random.choice(self.texts)
        if kind < 6:
            return self.random.choice(
                [*self.pids, -1, 9, 15, 2048, 1048576, 1 << 31, 1 << 63,
                 self.random.getrandbits(40)])
        if kind == 6:
            return self.random.choice([None, True, False, 1.5, float('nan'),
                                       float('inf'), -1e300])
        if kind == 7:
            return self.random.randbytes(self.random.randrange(20))
        found = [self.value(depth + 1)
                 for _ in range(self.random.randrange(5))]
        return found if kind < 11 else {str(n): one for n, one
                                        in enumerate(found)}

    def arguments(self, name: str) -> list[object]:
        """Arguments for a function: half of them nearly right."""
        if self.random.random() < 0.5:
            return [self.value() for _ in range(self.random.randrange(7))]
        target = self.random.choice(spdk_conf.targets(self.conf))
        address: object = target.rpc_address
        number = self.random.choice([15, 9, 1, self.value()])
        pid = self.random.choice([*self.pids, self.value()])
        found = {
            'add_hugepages': [2048, [[None, self.random.choice(
                [0, 1, 1 << 20, 1 << 32, self.value()])]]],
            'start_target': [target.name, address, self.random.choice(
                [[], ['--wait-for-rpc'], [self.value()], self.value()])],
            'poll_target': [pid, self.random.choice([0, 0.01, self.value()])],
            'release_target': [pid],
            'signal_target': [target.name, pid, self.random.choice(
                [0, 1, self.value()]), number],
            'trim_log': [target.name]}.get(name, [])
        if found and self.random.random() < 0.3:
            found[self.random.randrange(len(found))] = self.value()
        return found

    def call(self) -> None:
        """One call, and what became of it."""
        channel = helper._HELPER.channel(
            privileged.context, self.conf.spdk.privsep_helper_command)
        name = self.random.choice(_FUNCTIONS)
        arguments: tuple[object, ...] = (name, self.arguments(name))
        entry, named = _ENTRY, {}
        odd = self.random.random()
        if odd < 0.05:
            entry = self.random.choice(_FOREIGN)
        elif odd < 0.08:
            arguments = (self.value(), self.value())
        elif odd < 0.1:
            named = {'name': name}
        try:
            if 0.1 < odd < 0.101:
                with channel.lock:
                    channel.writer.send(self.value())
            found = channel.remote_call(entry, arguments, named, 60.0)
        except exceptions.SpdkError:
            self.counts['refused'] += 1
        except (OSError, OverflowError, ValueError, TypeError):
            self.counts['lost'] += 1
        else:
            self.counts['answered'] += 1
            if name == 'start_target' and isinstance(found, int):
                self.pids = self.pids[-20:] + [found]

    def exchange(self, ended: threading.Event) -> None:
        """Put one thing in the place of another, all the time."""
        outside = os.path.join(os.path.dirname(self.where), 'outside')
        chance = random.Random(self.random.random())
        names = ('state', 'own.sock', 'own.sock.lock', 'own.log', 'vhost',
                 'own.log.1', 'state/nvmf.json', 'state/own.json', 'link')
        targets = (outside, f'{outside}/file', f'{outside}/new', '/etc',
                   '/dev/zero', self.where, 'state', 'own.sock')
        while not ended.wait(0.0005):
            path = os.path.join(self.where, chance.choice(names))
            aside = f'{path}.{chance.randrange(4)}'
            with contextlib.suppress(OSError, ValueError):
                kind = chance.randrange(6)
                if kind < 2:
                    os.rename(path, aside)
                    os.symlink(chance.choice(targets), path)
                elif kind == 2:
                    os.unlink(path)
                elif kind == 3:
                    os.rename(aside, path)
                elif kind == 4:
                    os.mkdir(path, chance.choice([0o750, 0o777]))
                else:
                    os.mkfifo(path)


def main(config: str, where: str, calls: str, seed: str) -> None:
    """Make the calls."""
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[config])
    hostile = _Hostile(conf, where, int(seed))
    ended = threading.Event()
    other = threading.Thread(target=hostile.exchange, args=(ended,))
    other.start()
    try:
        for _ in range(int(calls)):
            hostile.call()
    finally:
        ended.set()
        other.join()
    print(json.dumps(hostile.counts))


if __name__ == '__main__':
    main(*sys.argv[1:])
