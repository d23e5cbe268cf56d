# SPDX-License-Identifier: Apache-2.0

"""Random histories of a target: after quiet it has exactly what it should.

Objects are made, deleted, lost and brought back by every way: raw RPC, disks
that go and come, kill -9, a restart by somebody else, another release, a
crash in the middle of a save. 20 histories in CI; set
``CYBORG_SPDK_TEST_HISTORIES=500`` for the long run, and
``CYBORG_SPDK_TEST_SEED`` to run one again.
"""

import os
import random
from unittest import mock

import fixtures

from cyborg_spdk.desired import store
from cyborg_spdk import exceptions
from cyborg_spdk.host import trusted_files
from tests.functional.desired import test_losses
from tests.functional.fixtures import host
from tests.functional.fixtures import seeds

_HISTORIES = int(os.environ.get('CYBORG_SPDK_TEST_HISTORIES') or 20)
_SEED = os.environ.get('CYBORG_SPDK_TEST_SEED')
_STEPS = 8
_RELEASES = ('v26.05', 'v25.09', 'v24.01', 'v22.01')


class _Crash(BaseException):
    """A process ends here."""


class Model:
    """What the target should have.

    :ivar disks: whether each disk is there, by its name.
    :ivar exports: subsystem -> bdev of its namespace, or None.
    :ivar hosts: pairs of subsystem and host.
    """

    def __init__(self):
        self.bdevs = {}
        self.disks = {}
        self.exports = {}
        self.hosts = set()

    def there(self, bdev):
        """Whether a bdev can be there now."""
        return self.disks.get(bdev, True)

    def expected(self):
        """Bdevs, and namespaces and hosts by subsystem."""
        return (sorted(name for name in self.bdevs if self.there(name)), {
            nqn: ([bdev] if bdev and self.there(bdev) else [],
                  sorted(one for owner, one in self.hosts if owner == nqn))
            for nqn, bdev in self.exports.items()})


class HistoriesTest(test_losses.DesiredCase):

    def setUp(self):
        super().setUp()
        self.number = 0

    def test_histories(self):
        first = seeds.first('CYBORG_SPDK_TEST_HISTORIES')
        for seed in range(first, first + (1 if _SEED else _HISTORIES)):
            with self.subTest(seed=seed):
                print(f'CYBORG_SPDK_TEST_SEED={seed}')
                self.history(random.Random(seed))

    def history(self, chance):
        self.begin()
        steps = []
        for _ in range(_STEPS):
            step = chance.choice((
                self.make_bdev, self.make_bdev, self.make_export,
                self.make_export, self.make_host, self.delete_namespace,
                self.delete_subsystem, self.delete_host, self.delete_bdev,
                self.lose_disk, self.lose_disk, self.bring_back,
                self.kill_and_start, self.restart_empty, self.other_release,
                self.crash_in_a_save))
            steps.append(step.__name__)
            step(chance)
            # Mostly somebody looks between two of them.
            if chance.random() < 0.7:
                self.look()
        self.look()
        self.settle(steps)
        for name, there in list(self.model.disks.items()):
            if not there:
                self.bring(name)
        self.settle(steps)

    def begin(self):
        self.kill()
        for name in os.listdir(self.host.path('state')) \
                if os.path.isdir(self.host.path('state')) else ():
            if os.path.isfile(self.host.path('state', name)):
                os.unlink(self.host.path('state', name))
        self.model = Model()
        self.number += 1
        self.ensure()

    def settle(self, steps):
        """Look until it is quiet, and compare."""
        for _ in range(3):
            self.look()
        self.assertEqual(self.model.expected(), self.found(), steps)

    def found(self):
        return self.bdevs(), {
            one['nqn']: ([ns['bdev_name']
                          for ns in one.get('namespaces', ())],
                         sorted(entry['nqn'] for entry in one['hosts']))
            for one in self.call('nvmf_get_subsystems')
            if 'discovery' not in one['nqn']}

    # What is made.

    def make_bdev(self, chance):
        name = f'B{self.number}-{len(self.model.bdevs)}-' \
               f'{chance.randrange(10**6)}'
        if chance.random() < 0.6:
            path = self.disk(name)
            self.call('bdev_aio_create', name=name, filename=path,
                      block_size=512)
            self.model.disks[name] = True
        else:
            self.call('bdev_null_create', name=name, num_blocks=2048,
                      block_size=512)
        self.model.bdevs[name] = True
        self.look()

    def make_export(self, chance):
        free = [name for name in self.model.bdevs if self.model.there(name)
                and name not in self.model.exports.values()
                and name in self.bdevs()]
        if not free:
            return
        bdev = chance.choice(free)
        nqn = f'nqn.2016-06.io.spdk:{bdev.lower()}'
        if nqn in self.model.exports:
            return
        self.export(nqn, bdev)
        self.model.exports[nqn] = bdev
        self.look()

    def make_host(self, chance):
        nqn = self.some_subsystem(chance)
        if nqn is None:
            return
        name = f'nqn.2016-06.io.host:{chance.randrange(10**6)}'
        self.call('nvmf_subsystem_add_host', nqn=nqn, host=name)
        self.model.hosts.add((nqn, name))
        self.look()

    def some_subsystem(self, chance):
        """One that is there now."""
        there = [one['nqn'] for one in self.call('nvmf_get_subsystems')]
        known = [nqn for nqn in self.model.exports if nqn in there]
        return chance.choice(known) if known else None

    # What is deleted on purpose, behind our back, while all is there.

    def delete_namespace(self, chance):
        nqn = self.some_subsystem(chance)
        if nqn is None or (nqn not in self.found()[1]
                           or not self.found()[1][nqn][0]):
            return
        self.look()
        self.call('nvmf_subsystem_remove_ns', nqn=nqn, nsid=1)
        self.model.exports[nqn] = None
        self.look()

    def delete_subsystem(self, chance):
        nqn = self.some_subsystem(chance)
        if nqn is None:
            return
        self.look()
        self.call('nvmf_delete_subsystem', nqn=nqn)
        del self.model.exports[nqn]
        self.model.hosts = {one for one in self.model.hosts
                            if one[0] != nqn}
        self.look()

    def delete_host(self, chance):
        there = [(nqn, name) for nqn, (_, names) in self.found()[1].items()
                 for name in names]
        if not there:
            return
        self.look()
        nqn, name = chance.choice(sorted(there))
        self.call('nvmf_subsystem_remove_host', nqn=nqn, host=name)
        self.model.hosts.discard((nqn, name))
        self.look()

    def delete_bdev(self, chance):
        there = [name for name in self.bdevs()
                 if name not in self.model.exports.values()]
        if not there:
            return
        self.look()
        name = chance.choice(there)
        kind = 'aio' if name in self.model.disks else 'null'
        self.call(f'bdev_{kind}_delete', name=name)
        del self.model.bdevs[name]
        self.model.disks.pop(name, None)
        self.look()

    # What is lost.

    def lose_disk(self, chance):
        there = [name for name, one in self.model.disks.items()
                 if one and name in self.bdevs()]
        if not there:
            return
        name = chance.choice(there)
        os.rename(self.host.path(name), self.host.path(name + '.away'))
        self.call('bdev_aio_delete', name=name)
        self.model.disks[name] = False

    def bring_back(self, chance):
        away = [name for name, one in self.model.disks.items() if not one]
        if away:
            self.bring(chance.choice(away))

    def bring(self, name):
        os.rename(self.host.path(name + '.away'), self.host.path(name))
        self.model.disks[name] = True

    def kill_and_start(self, _chance):
        self.restart()

    def restart_empty(self, _chance):
        self.kill()
        self.start_bare()

    def other_release(self, chance):
        if host.SPDK_DIR:
            return
        self.kill()
        self.useFixture(fixtures.EnvironmentVariable(
            'CYBORG_SPDK_SIM_VERSION', chance.choice(_RELEASES)))
        for entry in os.scandir(self.host.path('spdk', 'build', 'bin')):
            os.utime(entry.path)
        self.ensure()

    def crash_in_a_save(self, chance):
        """At its first write, or its second, before or behind it."""
        write = trusted_files.write_atomically
        left = [chance.randrange(2)]
        behind = chance.random() < 0.5

        def crash(*args, **options):
            if left[0]:
                left[0] -= 1
                write(*args, **options)
                return
            if behind:
                write(*args, **options)
            raise _Crash

        self.make_bdev_unseen(chance)
        with mock.patch.object(store.trusted_files, 'write_atomically',
                               crash):
            try:
                self.look()
            except (_Crash, exceptions.SpdkError):
                pass
        self.look()

    def make_bdev_unseen(self, chance):
        name = f'U{self.number}-{chance.randrange(10**6)}'
        self.call('bdev_null_create', name=name, num_blocks=2048,
                  block_size=512)
        self.model.bdevs[name] = True
