# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""The rules of a report, kept under any sequence of events.

Random histories of two hosts in one cloud: units come, go and change,
targets go down and come back with other contents, agents restart, state
files get lost, instances take and give back accelerators. Every report goes
through Cyborg's conductor into Cyborg's database and Placement.

``CYBORG_SPDK_TEST_SEED`` repeats a run (its seed is in the name of the test
that fails, and printed), ``CYBORG_SPDK_TEST_EXAMPLES`` sets the number of
histories, ``CYBORG_SPDK_TEST_DATABASE=mariadb`` the database.
"""

import json
import os
import random
import unittest

import hypothesis
from hypothesis import stateful
from hypothesis import strategies as st

from tests.functional.fixtures import node as nodes

SEED = int(os.environ.get('CYBORG_SPDK_TEST_SEED')
           or random.SystemRandom().randrange(1 << 32))
EXAMPLES = int(os.environ.get('CYBORG_SPDK_TEST_EXAMPLES') or 4)

#: Reports within which all is as it should be once nothing happens any more:
#: units come two at a time, and each may have to go before it comes.
PATIENCE = 12

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
            node.options['max_new_units'] = 2
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
        st.dictionaries(_UNITS, _DISKS, min_size=1, max_size=2),
        min_size=5, max_size=5),
        takes=st.lists(st.lists(_PICKS, max_size=2), min_size=2,
                       max_size=2))
    def begin_with_something(self, units, takes):
        for node in self.nodes:
            for name in sorted(node.puppets):
                node.puppets[name].units = units.pop()
        self.report_both()
        for number in (0, 1):
            for pick in takes[number]:
                self._take(number, pick, pick % 2)

    # What happens at a target.

    @stateful.rule(number=_NODES, pick=_PICKS, unit=_UNITS, disk=_DISKS)
    def add_or_change_a_unit(self, number, pick, unit, disk):
        self._puppet(number, pick).units[unit] = disk

    @stateful.rule(number=_NODES, pick=_PICKS, which=_PICKS)
    def remove_a_unit(self, number, pick, which):
        units = self._puppet(number, pick).units
        if units:
            del units[sorted(units)[which % len(units)]]

    @stateful.precondition(lambda self: self.held)
    @stateful.rule(pick=_PICKS, lose=st.booleans())
    def remove_what_is_taken(self, pick, lose):
        consumers = sorted(self.held)
        number, name, _arq = self.held[consumers[pick % len(consumers)]]
        node = self.nodes[number]
        deployable = node.deployables().get(name)
        if deployable is None:
            return
        info = deployable.attach_handle_list[0].attach_info
        for puppet in node.puppets.values():
            for unit in list(puppet.units):
                if node.info(puppet.kind, *unit) == info:
                    del puppet.units[unit]
        if lose:
            for name in node.puppets:
                self._lose(node, name, None)

    @stateful.rule(number=_NODES, pick=_PICKS,
                   units=st.dictionaries(_UNITS, _DISKS, max_size=4))
    def come_back_with_other_contents(self, number, pick, units):
        puppet = self._puppet(number, pick)
        puppet.stop()
        puppet.units = units
        puppet.start()

    @stateful.rule(number=_NODES, pick=_PICKS)
    def go_down(self, number, pick):
        self._puppet(number, pick).stop()

    @stateful.rule(number=_NODES, pick=_PICKS)
    def come_up(self, number, pick):
        puppet = self._puppet(number, pick)
        if not puppet.up:
            puppet.start()

    # What happens at an agent.

    @stateful.rule(number=_NODES)
    def restart_the_agent(self, number):
        self.nodes[number].restart()

    @stateful.rule(number=_NODES, pick=_PICKS,
                   damage=st.sampled_from([None, b'', b'{"a": 1', b'\0']))
    def lose_a_state_file(self, number, pick, damage):
        node = self.nodes[number]
        names = sorted(node.puppets)
        self._lose(node, names[pick % len(names)], damage)

    @staticmethod
    def _lose(node, name, damage):
        path = node.path('state', f'report-{name}.json')
        if os.path.exists(path):
            os.unlink(path)
            if damage is not None:
                with open(path, 'wb') as out:
                    out.write(damage)
        node.restart()

    # What instances do.

    @stateful.rule(number=_NODES, pick=_PICKS, bind=st.booleans())
    def take(self, number, pick, bind):
        self._take(number, pick, bind)

    def _take(self, number, pick, bind):
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

    @stateful.precondition(lambda self: self.held)
    @stateful.rule(pick=_PICKS)
    def give_back(self, pick):
        self._free(sorted(self.held)[pick % len(self.held)])

    def _free(self, consumer):
        _number, _name, arq = self.held.pop(consumer)
        if arq:
            self.cloud.unbind(arq)
        self.cloud.free(consumer)

    # The report, and what must be so after it.

    @stateful.rule(number=_NODES)
    def report(self, number):
        self._report(number)

    @stateful.rule()
    def report_both(self):
        for number in (0, 1):
            self._report(number)

    def _report(self, number):
        node = self.nodes[number]
        down = {name for name, puppet in node.puppets.items()
                if not puppet.up}
        before = {name: names for name, names in self._devices(node).items()
                  if name in down}
        node.report()
        after = self._devices(node)
        for name, names in before.items():
            assert after.get(name) == names, (
                f'{name} is down and was changed', names, after.get(name))
        self.seen[number] |= {
            name for name, puppet in node.puppets.items() if puppet.up}
        for each in (0, 1):
            self._check(each)

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

    def _puppet(self, number, pick):
        puppets = self.nodes[number].puppets
        return puppets[sorted(puppets)[pick % len(puppets)]]


HistoryTest = hypothesis.seed(SEED)(History.TestCase)
HistoryTest.settings = hypothesis.settings(
    max_examples=EXAMPLES, stateful_step_count=30, deadline=None,
    database=None, print_blob=True,
    suppress_health_check=list(hypothesis.HealthCheck))


def setUpModule():
    print(f'CYBORG_SPDK_TEST_SEED={SEED}')


if __name__ == '__main__':
    unittest.main()
