# SPDX-License-Identifier: Apache-2.0

"""Random histories in which everything fails that can, and nothing is lost.

A host with two targets in a real Cyborg and Placement. Its state on disk
gets lost, damaged or is put back as it was earlier; the disk does not take
what is written; Placement cannot be asked, or loses providers, inventories
and traits; reports do not reach the conductor, or its database is away; the
agent restarts; a target is renamed; instances take and give back units that
come and go. After each step the rules are checked against Placement's and
Cyborg's own tables.

``CYBORG_SPDK_TEST_HISTORIES`` is their number (1,000 in the long form),
``CYBORG_SPDK_TEST_SEED`` repeats a run, and ``CYBORG_SPDK_TEST_DATABASE=
mariadb`` is the database that checks foreign keys and lengths.
"""

import contextlib
import json
import os
import random
from unittest import mock

from oslo_config import cfg
import sqlalchemy.event
import testtools

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.units import placement
from tests.functional.fixtures import node as nodes
from tests.functional.fixtures import seeds

NUMBER = int(os.environ.get('CYBORG_SPDK_TEST_HISTORIES') or 4)
SEED = seeds.first('CYBORG_SPDK_TEST_HISTORIES')
#: Seeds of histories that broke a rule once.
BROKEN = (50037,)
STEPS = 30
#: Reports within which all is as it should be once nothing fails any more.
PATIENCE = 25
#: Names of the first target: as it was at the start, and another.
NAMES = ('spdk_nvmf', 'renamed')


class Away(Exception):
    """The conductor, or its database, gave no answer."""


class History:
    """One history.

    :param seed: what all of it follows from.
    """

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.node = nodes.Node({'nvmf': ['spdk_nvmf'],
                                'vhost': ['spdk_vhost']})
        self.node.options['max_new_units'] = 2
        self.node.options['full_report_interval'] = self.random.choice(
            (0, 3600))
        self.cloud = self.node.cloud
        self.held = {}
        self.kept = {}
        self.log = []

    def run(self):
        """All of it; raises what broke a rule."""
        try:
            for _ in range(3):
                self.units()
            for _ in range(3):
                self.report()
            for _ in range(STEPS):
                self.step()
            self.converge()
        finally:
            for consumer in list(self.held):
                self.free(consumer)
            self.name(NAMES[0])
            self.node.close()
            for option in ('rpc_address', 'start'):
                cfg.CONF.clear_override(option, group=NAMES[1])

    def step(self):
        what = self.random.choices(
            (self.units, self.take, self.give_back, self.disk, self.restart,
             self.rename, self.lose_in_placement, self.report, self.fault),
            (4, 4, 2, 4, 2, 1, 2, 6, 5))[0]
        self.log.append(what.__name__)
        what()

    # What happens

    def units(self):
        puppet = self.node.puppets[self.random.choice(
            ('spdk_nvmf', 'spdk_vhost'))]
        last = -1 if puppet.kind == 'vhost' else 1
        for number in self.random.sample(range(1, 6), 2):
            if self.random.random() < 0.5:
                puppet.units[number, last] = {**nodes.DISK, 'block_size':
                                              self.random.choice((512,
                                                                  4096))}
            else:
                puppet.units.pop((number, last), None)

    def take(self):
        free = sorted((name, one) for name, one in
                      self.node.providers().items()
                      if not one['allocations'] and one['inventory']
                      and name in self.node.deployables())
        if not free:
            return
        name, provider = self.random.choice(free)
        resource_class = next(iter(provider['inventory']))
        consumer = self.cloud.allocate(provider['uuid'], resource_class)
        arq = info = None
        if self.random.random() < 0.5:
            arq = self.cloud.request(self.cloud.profile([
                {f'resources:{resource_class}': '1'}]))
            info = self.cloud.bind(arq, self.node.name, provider['uuid'],
                                   consumer)['attach_handle_info']
        self.held[consumer] = (name, arq, info)
        if self.random.random() < 0.6:
            self.take_away(name)

    def take_away(self, name):
        """The unit goes from its target, maybe with all that is known."""
        info = self.node.deployables()[name].attach_handle_list[0].attach_info
        for puppet in self.node.puppets.values():
            for unit in list(puppet.units):
                if self.node.info(puppet.kind, *unit) == info:
                    del puppet.units[unit]
        if self.random.random() < 0.5:
            self.disk()
            self.restart()

    def give_back(self):
        if self.held:
            # In the order in which they came: their names are random.
            self.free(self.random.choice(list(self.held)))

    def free(self, consumer):
        _name, arq, _info = self.held.pop(consumer)
        if arq:
            self.cloud.unbind(arq)
        self.cloud.free(consumer)

    def disk(self):
        """One file, or all, are lost, damaged, or as they were earlier."""
        directory = self.node.path('state')
        names = sorted(name for name in os.listdir(directory)
                       if name.endswith('.json'))
        how = self.random.choice(('keep', 'lose', 'damage', 'put back'))
        if how == 'keep' or not names:
            self.kept = {name: self.content(name) for name in names}
            return
        for name in names if self.random.random() < 0.3 \
                else [self.random.choice(names)]:
            path = os.path.join(directory, name)
            os.unlink(path)
            content = {'lose': None, 'damage': self.random.choice((
                b'', b'{"version": 1', b'\0', b'[' * 5000)),
                'put back': self.kept.get(name)}[how]
            if content is not None:
                with open(path, 'wb') as out:
                    out.write(content)
        self.restart()

    def content(self, name):
        with open(self.node.path('state', name), 'rb') as source:
            return source.read()

    def restart(self):
        self.node.restart()

    def rename(self):
        self.name(next(name for name in NAMES if name not in
                       self.node.options.get('nvmf_targets', NAMES[:1])))

    def name(self, name):
        self.node.configure()
        spdk_conf.target(cfg.CONF, 'nvmf', NAMES[1])
        cfg.CONF.set_override(
            'rpc_address', self.node.puppets['spdk_nvmf'].path,
            group=NAMES[1])
        cfg.CONF.set_override('start', False, group=NAMES[1])
        self.node.options['nvmf_targets'] = [name]
        self.node.restart()

    def lose_in_placement(self):
        providers = self.node.providers()
        if not providers:
            return
        name = self.random.choice(sorted(providers))
        one = providers[name]
        path = f'/resource_providers/{one["uuid"]}'
        what = self.random.choice(('inventories', 'traits', 'provider'))
        if what == 'provider':
            if not one['allocations']:
                self.cloud.delete(path)
        elif what == 'traits' or not one['allocations']:
            value = self.cloud.get(f'{path}/{what}')
            value[what] = [] if what == 'traits' else {}
            self.cloud.put(f'{path}/{what}', value)

    def fault(self):
        """Something is away for a report or two."""
        with self.random.choice((
                self.full_disk, self.no_placement, self.no_conductor,
                self.no_answer, self.no_database, self.targets_down))():
            for _ in range(self.random.randint(1, 2)):
                with contextlib.suppress(Away):
                    self.node.report()
                self.check()

    @staticmethod
    def full_disk():
        return mock.patch(
            'cyborg_spdk.host.trusted_files.write_atomically',
            side_effect=exceptions.StateError('no space left on device'))

    @staticmethod
    def no_placement():
        return mock.patch.object(
            placement.Placement, '_ask',
            side_effect=exceptions.PlacementError('no route to host'))

    def no_conductor(self):
        return mock.patch.object(self.cloud.conductor, 'report_data',
                                 side_effect=Away)

    def no_answer(self):
        """It does its work, and the agent is not told."""
        whole = self.cloud.conductor.report_data

        def report_data(*args):
            whole(*args)
            raise Away

        return mock.patch.object(self.cloud.conductor, 'report_data',
                                 report_data)

    @contextlib.contextmanager
    def no_database(self):
        """From the first statement on: what Cyborg leaves half done when it
        goes away later is Cyborg's to mend.
        """
        def refuse(connection, *_args):
            # Of sqlite it is a path; Placement has another.
            if os.path.basename(
                    connection.engine.url.database or '').startswith(
                        'cyborg'):
                raise Away

        whole = self.cloud.conductor.report_data

        def report_data(*args):
            args_ = (sqlalchemy.engine.Engine, 'before_cursor_execute',
                     refuse)
            sqlalchemy.event.listen(*args_)
            try:
                with contextlib.suppress(Exception):
                    whole(*args)
            finally:
                sqlalchemy.event.remove(*args_)
            raise Away

        with mock.patch.object(self.cloud.conductor, 'report_data',
                               report_data):
            yield

    @contextlib.contextmanager
    def targets_down(self):
        for puppet in self.node.puppets.values():
            puppet.stop()
        yield
        for puppet in self.node.puppets.values():
            puppet.start()

    # What must be so

    def report(self):
        self.node.report()
        self.check()

    def check(self):
        rows = [json.loads(row)['target'] for row in self.node.rows() if row]
        assert len(rows) == len(set(rows)), f'devices twice: {rows}'
        deployables, providers = self.node.deployables(), \
            self.node.providers()
        # Without a provider nobody gets it: a device that is frozen, since
        # all that was known of it is lost, may still have such a row.
        infos = [one.attach_handle_list[0].attach_info
                 for name, one in deployables.items() if name in providers]
        twice = {info for info in infos if infos.count(info) > 1}
        assert not twice, f'offered under two names: {twice}'
        for name, one in deployables.items():
            classes = [item.value for item in one.attribute_list
                       if item.key == 'rc']
            assert len(classes) == len(one.attach_handle_list) == 1, name
            for found, total in providers.get(name, {}).get(
                    'inventory', {}).items():
                assert (found, total) == (classes[0], 1), (name, found)
        for consumer, (name, arq, info) in self.held.items():
            assert name in deployables, f'{name} is allocated and gone'
            assert consumer in providers[name]['allocations'], name
            if arq:
                bound = self.cloud.arq(arq)
                assert (bound['state'], bound['attach_handle_info']) == (
                    'Bound', info), bound

    def converge(self):
        for consumer in list(self.held):
            self.free(consumer)
        for _ in range(PATIENCE):
            self.report()
            if self.truth() is None:
                return
        raise AssertionError(f'no truth after {PATIENCE} reports: '
                             f'{self.truth()}')

    def truth(self):
        """What is not as it should be, or None."""
        handles, expected = set(self.node.handles()), self.node.expected()
        if handles != expected:
            return f'more {handles - expected}, less {expected - handles}'
        providers = self.node.providers()
        for name, one in self.node.deployables().items():
            attributes = {item.key: item.value
                          for item in one.attribute_list}
            rc = attributes.pop('rc')
            found = providers.get(name)
            if found is None or found['inventory'] != {rc: 1} or not set(
                    attributes.values()) <= set(found['traits']):
                return f'{name}: {found}, not {rc} and {attributes}'
        return None


class HistoriesTest(testtools.TestCase):

    def run_each(self, seeds_):
        for number, seed in enumerate(seeds_):
            history = History(seed)
            try:
                history.run()
            except Exception as exc:
                raise AssertionError(
                    f'number {number}; repeat with CYBORG_SPDK_TEST_SEED='
                    f'{seed} CYBORG_SPDK_TEST_HISTORIES=1: '
                    f'{", ".join(history.log)}: {exc!r}') from exc

    def test_histories(self):
        self.run_each((SEED + number) % (1 << 32) for number in range(NUMBER))

    def test_those_that_broke_a_rule(self):
        self.run_each(BROKEN)
