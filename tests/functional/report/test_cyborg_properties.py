# SPDX-License-Identifier: Apache-2.0

"""The rules of a report, kept under any sequence of events.

Random histories of two hosts in one cloud: units come, go and change,
targets go down and come back with other contents, agents restart, drivers
are disabled and enabled, state files get lost, instances take and give back
accelerators. Every report goes through Cyborg's conductor into Cyborg's
database and Placement.

``CYBORG_SPDK_TEST_SEED`` repeats a run (its seed is printed, and said by the
failure), ``CYBORG_SPDK_TEST_EXAMPLES`` sets the number of
histories, ``CYBORG_SPDK_TEST_DATABASE=mariadb`` the database.
"""

import json
import os
import unittest

import hypothesis
from hypothesis import stateful
from hypothesis import strategies as st

from tests.functional.fixtures import node as nodes
from tests.functional.fixtures import seeds

SEED = seeds.first('CYBORG_SPDK_TEST_EXAMPLES')
EXAMPLES = int(os.environ.get('CYBORG_SPDK_TEST_EXAMPLES') or 3)

#: Reports within which all is as it should be once nothing happens any more:
#: units come one at a time, and each may have to go before it comes.
PATIENCE = 20

_UNITS = st.tuples(st.integers(1, 2), st.integers(1, 3))
_DISKS = st.fixed_dictionaries({
    'product': st.sampled_from(['Malloc disk', 'NVMe disk']),
    'block_size': st.sampled_from([512, 4096]),
    'blocks': st.integers(1, 1 << 30)})
_NODES = st.integers(0, 1)
_PICKS = st.integers(0, 1 << 16)


class History(stateful.RuleBasedStateMachine):

    def __init__(self):
        super().__init__()
        self.nodes = [
            nodes.Node({'nvmf': ['spdk_nvmf', 'second'],
                        'vhost': ['spdk_vhost']}),
            nodes.Node({'nvmf': ['spdk_nvmf'], 'iscsi': ['spdk_iscsi']})]
        for node in self.nodes:
            node.options['max_new_units'] = 1
        self.cloud = self.nodes[0].cloud
        self.seen = [set(), set()]
        # Consumer -> (number of the node, provider's name, ARQ or None).
        self.held = {}
        self.infos = {}

    def teardown(self):
        try:
            self._converge()
        finally:
            for consumer in list(self.held):
                self._free(consumer)
            for node in self.nodes:
                node.close()

    @stateful.initialize(units=st.lists(
        st.dictionaries(_UNITS, _DISKS, min_size=1, max_size=4),
        min_size=5, max_size=5))
    def begin_with_something(self, units):
        for node in self.nodes:
            for name in sorted(node.puppets):
                node.puppets[name].units = units.pop()
        for number in (0, 1) * 3:
            self._report(number)

    @stateful.rule(number=_NODES, pick=_PICKS, event=st.one_of(
        st.tuples(st.just('add or change'), _UNITS, _DISKS),
        st.tuples(st.just('remove'), _PICKS),
        st.tuples(st.just('other contents'),
                  st.dictionaries(_UNITS, _DISKS, max_size=4)),
        st.tuples(st.sampled_from(['go down', 'come up']))))
    def at_a_target(self, number, pick, event):
        puppets = self.nodes[number].puppets
        puppet = puppets[sorted(puppets)[pick % len(puppets)]]
        what, *values = event
        if what == 'add or change':
            puppet.units[values[0]] = values[1]
        elif what == 'remove' and puppet.units:
            names = sorted(puppet.units)
            del puppet.units[names[values[0] % len(names)]]
        elif what == 'other contents':
            puppet.stop()
            puppet.units = values[0]
            puppet.start()
        elif what == 'go down':
            puppet.stop()
        elif what == 'come up' and not puppet.up:
            puppet.start()

    @stateful.rule(number=_NODES, pick=_PICKS, damage=st.sampled_from(
        ['no', 'lost', b'', b'{"a": 1', b'\0']))
    def at_an_agent(self, number, pick, damage):
        """It restarts, and its file of a target may have got lost."""
        node = self.nodes[number]
        names = sorted(node.puppets)
        self._damage(node, names[pick % len(names)], damage)
        node.restart()

    @stateful.rule(number=_NODES, pick=_PICKS)
    def a_driver_alone_is_enabled_or_all_are(self, number, pick):
        node = self.nodes[number]
        kinds = sorted(node.kinds)
        node.enabled = None if node.enabled else [kinds[pick % len(kinds)]]
        node.restart()

    @staticmethod
    def _damage(node, name, damage):
        path = node.path('state', f'report-{name}.json')
        if damage != 'no' and os.path.exists(path):
            os.unlink(path)
            if damage != 'lost':
                with open(path, 'wb') as out:
                    out.write(damage)

    @stateful.rule(number=_NODES, pick=_PICKS, bind=st.booleans(),
                   then=st.sampled_from([(), ('remove',), ('remove', 'lost'),
                                         ('lost',), ('go down',)]))
    def an_instance_takes(self, number, pick, bind, then):
        """And what it has taken may go, with what the agent knew of it."""
        node = self.nodes[number]
        free = sorted(
            (name, one) for name, one in node.providers().items()
            if not one['allocations'] and one['inventory'])
        if not free:
            return
        name, provider = free[pick % len(free)]
        resource_class = next(iter(provider['inventory']))
        consumer = self.cloud.allocate(provider['uuid'], resource_class)
        arq = None
        if bind:
            arq = self.cloud.request(self.cloud.profile([
                {f'resources:{resource_class}': '1'}]))
            self.infos[arq] = self.cloud.bind(
                arq, node.name, provider['uuid'], consumer)[
                    'attach_handle_info']
        self.held[consumer] = (number, name, arq)
        self._then(node, name, then)

    def _then(self, node, name, then):
        info = node.deployables()[name].attach_handle_list[0].attach_info
        for target, puppet in node.puppets.items():
            for unit in list(puppet.units):
                if node.info(puppet.kind, *unit) != info:
                    continue
                if 'remove' in then:
                    del puppet.units[unit]
                if 'go down' in then:
                    puppet.stop()
            if 'lost' in then:
                self._damage(node, target, 'lost')
                node.restart()

    @stateful.precondition(lambda self: self.held)
    @stateful.rule(pick=_PICKS)
    def an_instance_gives_back(self, pick):
        self._free(list(self.held)[pick % len(self.held)])

    def _free(self, consumer):
        _number, _name, arq = self.held.pop(consumer)
        if arq:
            self.cloud.unbind(arq)
        self.cloud.free(consumer)

    # The report, and what must be so after it.

    @stateful.rule(number=_NODES)
    def report(self, number):
        self._report(number)

    def _report(self, number):
        node = self.nodes[number]
        down = {name for name, puppet in node.puppets.items()
                if not puppet.up and puppet.kind in (
                    node.enabled or node.kinds)}
        before = {name: names for name, names in self._devices(node).items()
                  if name in down}
        node.report()
        after = self._devices(node)
        for name, names in before.items():
            assert after.get(name) == names, (
                f'{name} is down and was changed', names, after.get(name))
        self.seen[number] |= {
            name for name, puppet in node.puppets.items() if puppet.up}
        self._check(number)

    def _devices(self, node):
        return {json.loads(device.controlpath_id.cpid_info)['target']: {
            one.name for one in device.deployable_list}
            for device in self.cloud.devices(node.name)}

    def _check(self, number):
        node = self.nodes[number]
        rows = [json.loads(row)['target'] for row in node.rows()]
        assert sorted(rows) == sorted(set(rows)), f'devices twice: {rows}'
        assert set(rows) <= self.seen[number], rows
        providers, deployables = node.providers(), node.deployables()
        assert set(providers) == set(deployables), (
            'Placement and Cyborg disagree',
            set(providers) ^ set(deployables))
        for name, provider in providers.items():
            attributes = {one.key: one.value
                          for one in deployables[name].attribute_list}
            assert provider['inventory'] == {attributes.pop('rc'): 1}, name
            assert provider['traits'] == sorted(attributes.values()), name
            assert len(deployables[name].attach_handle_list) == 1, name
        for consumer, (owner, name, arq) in self.held.items():
            if owner != number:
                continue
            assert name in providers, f'{name} is allocated and gone'
            assert consumer in providers[name]['allocations'], name
            if arq:
                bound = self.cloud.arq(arq)
                assert bound['state'] == 'Bound', bound
                assert bound['attach_handle_info'] == self.infos[arq], bound

    def _converge(self):
        for consumer in list(self.held):
            self._free(consumer)
        for number, node in enumerate(self.nodes):
            node.enabled = None
            node.restart()
            for puppet in node.puppets.values():
                if not puppet.up:
                    puppet.start()
            for _ in range(PATIENCE):
                self._report(number)
                if set(node.handles()) == node.expected():
                    break
            assert set(node.handles()) == node.expected(), (
                f'no truth after {PATIENCE} reports: more '
                f'{set(node.handles()) - node.expected()}, less '
                f'{node.expected() - set(node.handles())}')


class HistoryTest(unittest.TestCase):

    def test_random_histories(self):
        print(f'CYBORG_SPDK_TEST_SEED={SEED}')
        try:
            stateful.run_state_machine_as_test(
                hypothesis.seed(SEED)(History), settings=hypothesis.settings(
                    max_examples=EXAMPLES, stateful_step_count=25,
                    deadline=None, database=None, print_blob=True,
                    suppress_health_check=list(hypothesis.HealthCheck)))
        except Exception as exc:
            raise AssertionError(
                f'repeat with CYBORG_SPDK_TEST_SEED={SEED}') from exc


if __name__ == '__main__':
    unittest.main()
