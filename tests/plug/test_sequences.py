# SPDX-License-Identifier: Apache-2.0

"""Whatever happens in whatever order: one writer, and the right disks.

``CYBORG_SPDK_TEST_PLUG_STEPS`` and ``CYBORG_SPDK_TEST_PLUG_EXAMPLES`` make it
longer. hypothesis prints the sequence that fails.
"""

import contextlib
import itertools
import json
import os
import uuid

import fixtures
import hypothesis
from hypothesis import stateful
from hypothesis import strategies

from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import unix_sockets
from cyborg_spdk.units import placement
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import run
from tests.functional.fixtures import host
from tests.plug import case
from tests.plug import guest

_STEPS = int(os.environ.get('CYBORG_SPDK_TEST_PLUG_STEPS') or 12)
_EXAMPLES = int(os.environ.get('CYBORG_SPDK_TEST_PLUG_EXAMPLES') or 3)

_INSTANCES = _UNITS = 2
_NOWHERE = 'http://127.0.0.1:9/'

_RESCUED = '''
<disk type='file' device='disk'><source file='{disk}'/>
  <driver name='qemu' type='raw'/><target dev='vdb' bus='virtio'/></disk>'''

# Where the instances write.
_SECTOR = 777

_instances = strategies.integers(0, _INSTANCES - 1)
_units = strategies.integers(0, _UNITS - 1)


class Machine(stateful.RuleBasedStateMachine):
    """A host on which things happen.

    :cvar case: the test, with its fixtures.
    """

    case: 'SequencesTest'

    def __init__(self):
        super().__init__()
        self.case.begin()
        self.given = {}
        self.domains = {}
        self.instances = [self.instance() for _ in range(_INSTANCES)]
        # Disks that were there after the last step, and are to stay.
        self.there = set()
        # Units whose target was killed: their disks may go and come.
        self.lost = set()
        # Whose data is on a unit.
        self.written = {}

    def teardown(self):
        try:
            self.placement_goes(False)
            self.quiet()
        finally:
            for number in range(_INSTANCES):
                self.stop(number)
            for instance in self.instances:
                self.case.take(instance)
            with contextlib.suppress(exceptions.SpdkError):
                self.case.duty.run()

    def instance(self):
        made = str(uuid.uuid4())
        self.case.give_away(made)
        return made

    # What Nova and Placement do.

    @stateful.rule(number=_instances)
    def start(self, number, also=''):
        instance = self.instances[number]
        if instance not in self.domains:
            _, self.domains[instance] = self.case.libvirtd.create(
                instance=instance, paused=False,
                devices=self.case.guests[number].devices + also)

    @stateful.rule(number=_instances)
    def stop(self, number):
        domain = self.domains.pop(self.instances[number], None)
        if domain is not None:
            self.case.libvirtd.end(domain)

    @stateful.rule(number=_instances)
    def hard_reboot(self, number):
        self.stop(number)
        self.start(number)

    @stateful.rule(number=_instances)
    def rebuild(self, number):
        """The same instance and its units, with another image."""
        self.stop(number)
        self.case.guests[number].make()
        self.start(number)

    @stateful.rule(number=_instances)
    def rescue(self, number):
        """Another image is booted; the instance's own is one more disk.

        Nova writes the domain without its accelerators; what Placement has
        does not change. The end of it is a hard reboot.
        """
        self.stop(number)
        self.start(number, _RESCUED.format(
            disk=self.case.host.path(f'guest{number}', 'rescued.img')))

    @stateful.rule(number=_instances)
    def delete(self, number):
        self.stop(number)
        instance = self.instances[number]
        self.case.take(instance)
        self.given = {provider: owner for provider, owner
                      in self.given.items() if owner != instance}
        self.instances[number] = self.instance()

    @stateful.rule(number=_instances, unit=_units)
    def bind(self, number, unit):
        provider = self.case.providers[unit]
        # Placement gives nothing twice, and nothing that is reserved.
        if provider in self.given or self.case.reserved(provider):
            return
        self.given[provider] = self.instances[number]
        self.allocate(self.instances[number])

    @stateful.rule(unit=_units)
    def unbind(self, unit):
        instance = self.given.pop(self.case.providers[unit], None)
        if instance is not None:
            self.allocate(instance)

    def allocate(self, instance):
        self.case.give_away(instance, *(
            provider for provider, owner in self.given.items()
            if owner == instance))

    # What ends, and comes back.

    @stateful.rule()
    def service_killed(self):
        self.case.duty = self.case.another_duty()

    @stateful.rule()
    def libvirtd_killed(self):
        self.case.libvirtd.restart()
        self.domains = {
            instance: self.case.libvirtd.connection.lookupByUUIDString(
                instance) for instance in self.domains}

    @stateful.rule(unit=_units)
    def target_killed(self, unit):
        # A real target is that of all units.
        self.lost.update(self.case.providers if host.SPDK_DIR
                         else [self.case.providers[unit]])
        self.case.serve_anew(self.case.providers[unit])

    @stateful.rule(away=strategies.booleans())
    def placement_goes(self, away):
        self.case.host.set(
            placement.GROUP, endpoint_override=_NOWHERE if away
            else self.case.cloud.placement_url)
        self.service_killed()

    @stateful.rule(unit=_units)
    def wipe(self, unit):
        """What the duty wipe does, some time later."""
        with contextlib.suppress(exceptions.SpdkError):
            self.case.wipe(unit)

    @stateful.rule()
    def round(self):
        with contextlib.suppress(exceptions.HypervisorError):
            self.case.duty.run()

    # What holds after each step.

    @stateful.invariant()
    def one_writer(self):
        users = {}
        for instance, domain in self.domains.items():
            for provider in self.case.disks(domain):
                assert provider not in users, f'{provider} has two'
                users[provider] = instance
        for provider, instance in users.items():
            mark = self.case.mark(provider)
            assert (mark.state, mark.consumer, mark.in_use) == (
                marks.DIRTY, instance, True), mark

    @stateful.invariant()
    def one_session(self):
        for provider in self.case.providers:
            socket = self.case.socket(provider)
            assert unix_sockets.look(socket).connections <= 1, socket

    @stateful.invariant()
    def own_data(self):
        """An instance finds what it has written, and nothing else."""
        for instance, domain in self.domains.items():
            for provider in self.case.disks(domain):
                found = self.case.data(provider)
                own = instance.encode()
                expected = own if self.written.get(provider) == instance \
                    else b''
                assert found == expected, f'{found} instead of {expected}'
                self.case.write(provider, own)
                self.written[provider] = instance

    @stateful.invariant()
    def clean_is_empty(self):
        for provider in self.case.providers:
            if self.case.is_clean(provider):
                found = self.case.data(provider)
                assert not found, f'{provider} is clean, and has {found}'
                self.written.pop(provider, None)

    @stateful.invariant()
    def nothing_is_taken_on_a_guess(self):
        now, still = set(), set()
        for instance, domain in self.domains.items():
            disks = self.case.disks(domain)
            for provider, owner in self.given.items():
                if owner == instance and provider not in self.lost:
                    still.add((domain.ID(), provider))
                    if provider in disks:
                        now.add((domain.ID(), provider))
        assert self.there & still <= now, self.there & still - now
        self.there = now

    # What comes about in the end.

    def quiet(self):
        rounds = itertools.count(1)

        def right():
            self.round()
            self.one_writer()
            self.one_session()
            self.own_data()
            for unit in range(_UNITS):
                self.wipe(unit)
            wrong = [number for number, instance in enumerate(self.instances)
                     if instance in self.domains and not self.right(instance)]
            if wrong and next(rounds) % 40 == 0:
                # As the log says, where a guest waits for a dead target.
                self.hard_reboot(wrong[0])
            return not wrong and all(
                provider in self.given or self.case.is_clean(provider)
                for provider in self.case.providers)

        host.wait_until(right, f'{self.given} in {list(self.domains)}')

    def right(self, instance):
        return set(self.case.disks(self.domains[instance])) == {
            provider for provider, owner in self.given.items()
            if owner == instance}


class SequencesTest(case.PlugCase):

    def begin(self):
        """All units are clean."""
        for unit, provider in enumerate(self.providers):
            if not self.is_clean(provider):
                self.wipe(unit)

    def socket(self, provider):
        return json.loads(self.units[provider]['handle'])['socket']

    def image(self, provider):
        return self.host.path(os.path.basename(self.socket(provider))
                              + '.img')

    def data(self, provider):
        """What is on a unit beside zeroes."""
        with open(self.image(provider), 'rb') as stream:
            return stream.read().strip(b'\0')

    def write(self, provider, data):
        with open(self.image(provider), 'r+b') as stream:
            stream.seek(_SECTOR << 9)
            stream.write(data)

    def is_clean(self, provider):
        mark = self.mark(provider)
        return mark is None or mark.state == marks.CLEAN

    def wipe(self, unit):
        provider = self.providers[unit]
        if not self.is_clean(provider):
            run.wipe(self.conf, self.host.target(self.KIND),
                     self.units[provider]['handle'], certain=True)

    def test_sequences(self):
        for name in ('LOST', '_NEXT_TRY'):
            self.useFixture(fixtures.MonkeyPatch(
                f'cyborg_spdk.service.plug.rounds.{name}', 0.5))
        self.providers = [self.unit(f'blk.{number}')
                          for number in range(_UNITS)]
        self.guests = []
        for number in range(_INSTANCES):
            os.mkdir(self.host.path(f'guest{number}'))
            os.chmod(self.host.path(f'guest{number}'), 0o755)
            rescued = self.host.path(f'guest{number}', 'rescued.img')
            with open(rescued, 'wb') as stream:
                stream.truncate(1 << 20)
            os.chmod(rescued, 0o666)
            self.guests.append(self.useFixture(guest.Guest(
                self.host.path(f'guest{number}'), reads=False)))
        stateful.run_state_machine_as_test(
            type('Bound', (Machine,), {'case': self}),
            settings=hypothesis.settings(
                max_examples=_EXAMPLES, stateful_step_count=_STEPS,
                deadline=None, database=None,
                # Each try takes long; the sequence itself is printed.
                phases=[hypothesis.Phase.generate],
                suppress_health_check=list(hypothesis.HealthCheck)))
