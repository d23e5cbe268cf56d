# SPDX-License-Identifier: Apache-2.0

"""One round: what the domains have beside what they should have.

Nothing is taken out on a guess: if Placement, libvirt or a target cannot be
asked, what is there stays.
"""

import dataclasses
import time

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import unix_sockets
from cyborg_spdk import loggers
from cyborg_spdk.service.plug import domain_xml
from cyborg_spdk.service.plug import hypervisor
from cyborg_spdk.service.plug import ways
from cyborg_spdk.service.plug import wishes as plug_wishes
from cyborg_spdk.units.attach import vhost as attach_vhost
from cyborg_spdk.units import handles
from cyborg_spdk.units import reported
from cyborg_spdk.units.wipe import marks

LOG = loggers.get(__name__)

#: States of a plug, as ``plug list`` shows them.
PLUGGED, WAITING, LEAVING, LEFT = 'plugged', 'waiting', 'leaving', 'left'

_SHARED_MEMORY = (
    'its memory cannot be shared with the target: give the flavor '
    'hw:mem_page_size=large (or any size of huge pages), and hard reboot it')


@dataclasses.dataclass(frozen=True)
class Plug:
    """A unit and an instance, and how far they are.

    :ivar instance: UUID of the instance.
    :ivar name: name of its domain, or '' if none runs.
    :ivar unit: the unit's handle.
    :ivar target: name of its target.
    :ivar device: name of the disk in the domain, or ''.
    :ivar state: one of the constants of this module.
    :ivar why: why it is not as it should be, one line, or ''.
    """

    instance: str
    name: str
    unit: str
    target: str
    device: str = ''
    state: str = WAITING
    why: str = ''


#: Seconds without a connection of QEMU's after which a disk is lost: where
#: it connects again at all, it tries every second.
LOST = 10.0

# Seconds from one try to get a lost disk out to the next: libvirt waits for
# the guest for 5 s each time.
_NEXT_TRY = 30.0

_LOST = (
    'QEMU has not connected again to its target, which was started anew '
    '(libvirt before 11 does not let it): the disk is taken out and plugged '
    'in again as soon as the guest has no I/O on it; else hard reboot the '
    'instance')


class Memory:
    """What one round has to know of those before it."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._tried: dict[str, float] = {}

    def well(self, disk: str) -> None:
        """A disk is connected."""
        self._since.pop(disk, None)
        self._tried.pop(disk, None)

    def lost(self, disk: str) -> bool:
        """A disk is not connected; whether it is not for too long."""
        now = time.monotonic()
        return now - self._since.setdefault(disk, now) >= LOST

    def may_try(self, disk: str) -> bool:
        """Whether it is time to try something with it again."""
        now = time.monotonic()
        if now - self._tried.get(disk, -_NEXT_TRY) < _NEXT_TRY:
            return False
        self._tried[disk] = now
        return True


class Round:
    """One comparison of this host's domains with their allocations.

    :param conf: the configuration.
    :param host: libvirt.
    :param wishes: Placement's answers.
    :param memory: of the rounds before; None: there were none.
    :ivar to_wipe: units that an instance waits for, and that have the data
        of one that has given them back.
    :raises HypervisorError: if libvirt does not answer.
    """

    def __init__(self, conf: cfg.ConfigOpts, host: hypervisor.Hypervisor,
                 wishes: plug_wishes.Wishes,
                 memory: Memory | None = None) -> None:
        self._conf = conf
        self._host = host
        self._wishes = wishes
        self._memory = memory or Memory()
        self.to_wipe: list[ways.Job] = []
        self._targets = {one.name: one for one in spdk_conf.targets(conf)}
        self._units = reported.by_provider(conf)
        # Why the sockets of a target are not tried any more in this round.
        self._silent: dict[str, exceptions.SilentTarget] = {}
        self._domains = host.running()
        wishes.keep(one.uuid for one in self._domains)

    def look(self) -> list[Plug]:
        """What is, and what should be; changes nothing.

        :raises PlacementError: if Placement does not answer.
        """
        found = []
        for domain in self._domains:
            wanted = self._wanted(domain)
            ours = domain.ours()
            for provider in sorted(wanted | set(ours)):
                disk = ours.get(provider)
                found.append(self._plug(
                    domain, provider, disk.device if disk else '',
                    WAITING if disk is None else
                    PLUGGED if provider in wanted else LEAVING))
        return found

    def work(self) -> list[Plug]:
        """Plug in and take out what is due.

        A unit that cannot be plugged does not keep the others.
        """
        found = []
        for domain in tuple(self._domains):
            try:
                wanted = self._wanted(domain)
            except exceptions.PlacementError as exc:
                found += [self._plug(domain, provider, disk.device, PLUGGED,
                                     f'Placement cannot be asked: {exc}')
                          for provider, disk in domain.ours().items()]
                continue
            found += self._of_domain(domain, wanted)
        found += self._left_over()
        self._close_sockets()
        return found

    def _wanted(self, domain: domain_xml.Domain) -> frozenset[str]:
        """Providers of this host's units that a domain should have."""
        return frozenset(self._wishes.of(domain.uuid) & set(self._units))

    def _of_domain(self, domain: domain_xml.Domain,
                   wanted: frozenset[str]) -> list[Plug]:
        found = []
        ours = domain.ours()
        for provider, disk in sorted(ours.items()):
            if provider in wanted:
                found.append(self._stays(domain, provider, disk))
            else:
                found.append(self._out(domain, provider, disk))
        for provider in sorted(wanted - set(ours)):
            found.append(self._in(domain, provider))
        return found

    def _stays(self, domain: domain_xml.Domain, provider: str,
               disk: domain_xml.Disk) -> Plug:
        """See that a disk that is plugged is connected, too."""
        why = ''
        try:
            job = self._job(provider, domain.uuid)
            ways.keep(job, disk.source)
            why = self._connect_again(job, disk)
        except exceptions.SpdkError as exc:
            why = str(exc)
        return self._plug(domain, provider, disk.device, PLUGGED, why)

    def _connect_again(self, job: ways.Job, disk: domain_xml.Disk) -> str:
        """What is wrong with the connection of a disk, or ''."""
        name = f'{job.instance} {job.provider}'
        try:
            lost = ways.lost(job, disk.source)
        except OSError:
            return ''  # The target has just gone.
        if not lost:
            self._memory.well(name)
            return ''
        if not self._memory.lost(name):
            return ''
        if self._memory.may_try(name):
            # The next round plugs it in.
            self._host.detach(job.instance, disk.alias)
        return _LOST

    def _in(self, domain: domain_xml.Domain, provider: str) -> Plug:
        try:
            device = self._plug_in(domain, provider)
        except exceptions.SpdkError as exc:
            return self._plug(domain, provider, '', WAITING, str(exc))
        LOG.info('%s: %s is plugged into instance %s (%s) as %s',
                 self._units[provider].target, self._units[provider].handle,
                 domain.uuid, domain.name, device)
        return self._plug(domain, provider, device, PLUGGED)

    def _plug_in(self, domain: domain_xml.Domain, provider: str) -> str:
        job = self._job(provider, domain.uuid)
        if job.kind != 'iscsi' and not domain.shared_memory:
            raise exceptions.HypervisorError(
                f'domain {domain.name}: {_SHARED_MEMORY}')
        # What is so now, not at the begin of the round: another disk may
        # have come in meanwhile, one that was just plugged in at least.
        self._domains = self._host.running()
        device = self._free_device(domain)
        if provider not in self._wishes.ask(domain.uuid):
            raise exceptions.HypervisorError(
                f'{self._units[provider].handle}: it is not the '
                "instance's any more")
        self._host.check(domain.uuid)
        self._nobody_else(job)
        if job.target.name in self._silent:
            raise self._silent[job.target.name]
        try:
            make_xml = ways.let_in(job)
        except exceptions.SilentTarget as exc:
            # Each try takes its time, and other domains wait meanwhile.
            self._silent[job.target.name] = exc
            raise
        except exceptions.DirtyUnit as exc:
            if not self._may_wipe(job, exc):
                raise
            self.to_wipe.append(job)
            raise exceptions.HypervisorError(
                f'{self._units[provider].handle}: it is wiped of what '
                f'instance {exc.consumer} left, and plugged then') from None
        self._host.attach(domain.uuid, make_xml(device))
        return device

    def _free_device(self, domain: domain_xml.Domain) -> str:
        now = next((one for one in self._domains
                    if one.uuid == domain.uuid), None)
        if now is None:
            raise exceptions.HypervisorError(
                f'domain {domain.name}: it has ended')
        device = now.free_device()
        if device is None:
            raise exceptions.HypervisorError(
                f'domain {domain.name}: it has no name left for a disk')
        return device

    def _may_wipe(self, job: ways.Job, dirty: exceptions.DirtyUnit) -> bool:
        """Whether the data on a unit is nobody's any more for certain.

        It is if it was that of another instance, which has no allocation of
        the unit. Of data whose owner is not known nothing is known.
        """
        if dirty.in_use or dirty.consumer == job.instance or \
                not plug_wishes.is_instance(dirty.consumer):
            return False
        return job.provider not in self._wishes.ask(str(dirty.consumer))

    def _nobody_else(self, job: ways.Job) -> None:
        """Refuse a unit that somebody may be writing to.

        :raises HypervisorError: with who that is.
        """
        for source in ways.sources(job):
            for other in domain_xml.users(self._domains, source):
                raise exceptions.HypervisorError(
                    f'{source} is a disk of domain {other.name} already; '
                    'take it out there')
            if unix_sockets.look(source).connections:
                raise exceptions.HypervisorError(
                    f'{source}: somebody is connected to it; end that first')
        there = ways.connected(job)
        if there and job.kind == 'nvmf':
            # Our own bridge, from a round that was cut short.
            there = tuple(one for one in there if one != job.host_nqn)
        if there:
            raise exceptions.HypervisorError(
                f'{job.handle}: {", ".join(there)} is connected to it; end '
                'that first')

    def _out(self, domain: domain_xml.Domain, provider: str,
             disk: domain_xml.Disk) -> Plug:
        """Ask for a disk to go; it has gone when the next round says so."""
        try:
            # Nobody may be cut off by an old answer.
            if not self._wishes.gave_back(domain.uuid, provider):
                return self._plug(domain, provider, disk.device, PLUGGED)
            self._host.detach(domain.uuid, disk.alias)
        except exceptions.SpdkError as exc:
            return self._plug(domain, provider, disk.device, LEAVING,
                              str(exc))
        return self._plug(domain, provider, disk.device, LEAVING)

    def _left_over(self) -> list[Plug]:
        """Units that were let in to an instance that has them no more."""
        running = {domain.uuid: domain for domain in self._domains}
        by_handle = {(one.target, one.handle): provider
                     for provider, one in self._units.items()}
        found = []
        for mark in marks.load_all(self._conf):
            provider = by_handle.get((mark.target, mark.handle))
            # Whom an operator has let in stays in until he takes that back.
            if not (mark.in_use and provider and
                    mark.maker in ('', marks.PLUG) and
                    plug_wishes.is_instance(mark.consumer)):
                continue
            assert mark.consumer is not None
            domain = running.get(mark.consumer)
            if domain is not None and (
                    provider in domain.ours()
                    # A disk that is not in its XML yet may come.
                    or self._host.changing(domain.uuid)):
                continue
            found += self._leave(mark, provider)
        return found

    def _leave(self, mark: marks.Mark, provider: str) -> list[Plug]:
        instance = mark.consumer or ''
        plug = Plug(instance, '', mark.handle, mark.target, state=LEFT)
        try:
            given = self._wishes.ask(instance)
            if provider in given:
                # Stopped, or being started anew: it is still the
                # instance's.
                return []
            if not given and instance in self._host.known():
                raise exceptions.PlacementError(
                    f'it has no allocation at all of instance {instance}, '
                    'which libvirt still has, so nothing is taken from it; '
                    'put its allocations back')
            job = self._job(provider, instance)
            ways.take_out(job)
        except exceptions.SpdkError as exc:
            return [dataclasses.replace(plug, state=LEAVING, why=str(exc))]
        LOG.info('%s: %s is no longer of instance %s', mark.target,
                 mark.handle, instance)
        return [plug]

    def _close_sockets(self) -> None:
        """Close the sockets of units that are nobody's to QEMU's user.

        A target that is started anew makes all of its sockets so that he
        may connect: those of the units that are plugged in are used at once.
        """
        for unit in self._units.values():
            kind, parts = handles.parse(unit.handle)
            if kind != 'vhost':
                continue
            path = parts['socket']
            try:
                user = self._host.qemu_user()
                if not attach_vhost.open_by_birth(path, user):
                    continue
                # Nobody is let in meanwhile. Who is busy with it is not
                # waited for: the next round looks again.
                with marks.locked(self._conf, unit.target, unit.handle,
                                  'closing its socket', 0):
                    mark = marks.load(self._conf, unit.target, unit.handle)
                    if mark is not None and mark.in_use:
                        continue
                    attach_vhost.close(path)
            except exceptions.SpdkError as exc:
                LOG.debug('%s stays open to QEMU: %s', path, exc)
                continue
            LOG.info('%s: %s is closed to user %s: no instance has the unit',
                     unit.target, path, user)

    def _job(self, provider: str, instance: str) -> ways.Job:
        unit = self._units[provider]
        target = self._targets.get(unit.target)
        if target is None:
            raise exceptions.HypervisorError(
                f'{unit.handle}: the configuration has no target '
                f'{unit.target} any more')
        return ways.job(self._conf, target, unit.handle, provider, instance,
                        self._host.qemu_user())

    def _plug(self, domain: domain_xml.Domain, provider: str, device: str,
              state: str, why: str = '') -> Plug:
        unit = self._units.get(provider)
        return Plug(domain.uuid, domain.name,
                    unit.handle if unit else provider,
                    unit.target if unit else '', device, state, why)
