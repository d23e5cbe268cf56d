# SPDX-License-Identifier: Apache-2.0

"""NVMe over Fabrics: subsystems and who is connected to them."""

import dataclasses

from cyborg_spdk.clients.types import reported
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions


@dataclasses.dataclass(frozen=True)
class ListenAddress(reported.Reported):
    """Where a subsystem listens, or what a controller connects to.

    :ivar trtype: transport: ``TCP``, ``RDMA``, ``VFIOUSER``, ``PCIe``...
    :ivar traddr: address.
    :ivar trsvcid: port, as a string.
    :ivar adrfam: ``IPv4``, ``IPv6``, ``IB``, or None where it is not told.
    """

    trtype: str = reported.text('')
    traddr: str = reported.text('')
    trsvcid: str = reported.text('')
    adrfam: str = reported.text()

    @classmethod
    def parse(cls, raw):
        """See :meth:`Reported.parse`; ``transport`` is the old ``trtype``."""
        found = super().parse(raw)
        if not found.trtype and isinstance(raw.get('transport'), str):
            found = dataclasses.replace(found, trtype=raw['transport'])
        return found

    @property
    def place(self):
        """What tells two addresses apart, whatever their spelling."""
        address = self.traddr
        if self.trtype.upper() in ('TCP', 'RDMA'):
            try:
                address = str(validate.ip_address('traddr', address))
            except exceptions.InvalidValue:
                pass
        return self.trtype.upper(), address, self.trsvcid

    def __str__(self):
        address = f'[{self.traddr}]' if ':' in self.traddr and \
            self.trsvcid else self.traddr
        return f'{self.trtype}:{address}' + (
            f':{self.trsvcid}' if self.trsvcid else '')


@dataclasses.dataclass(frozen=True)
class Namespace(reported.Reported):
    """A namespace of an NVM subsystem.

    :ivar nsid: its number, from 1.
    :ivar bdev_name: the bdev behind it.
    :ivar nguid: 32 hexadecimal digits, or None.
    :ivar eui64: 16 hexadecimal digits, or None.
    :ivar uuid: UUID, or None.
    :ivar anagrpid: ANA group, or None where ANA is not reported.
    """

    nsid: int = reported.number(0)
    bdev_name: str = reported.text('')
    nguid: str = reported.text()
    eui64: str = reported.text()
    uuid: str = reported.text()
    anagrpid: int = reported.number()

    @classmethod
    def parse(cls, raw):
        """See :meth:`Reported.parse`; ``name`` is the old ``bdev_name``."""
        found = super().parse(raw)
        if not found.bdev_name and isinstance(raw.get('name'), str):
            found = dataclasses.replace(found, bdev_name=raw['name'])
        return found


def _host_nqn(raw):
    return raw.get('nqn', '') if isinstance(raw, dict) else str(raw)


@dataclasses.dataclass(frozen=True)
class Subsystem(reported.Reported):
    """An NVM or discovery subsystem.

    :ivar nqn: its name.
    :ivar subtype: ``NVMe`` or ``Discovery``.
    :ivar listen_addresses: tuple of :class:`ListenAddress`.
    :ivar allow_any_host: whether any host may connect.
    :ivar hosts: NQNs of the hosts that may (tuple of str).
    :ivar serial_number: NVM subsystems only, else None; so are the
        following.
    :ivar model_number: since v19.04.
    :ivar max_namespaces: highest NSID that it can have.
    :ivar min_cntlid: since v21.07; so is ``max_cntlid``.
    :ivar admin_label: what the discovery log page says of it, if one was
        given (v26.09).
    :ivar namespaces: tuple of :class:`Namespace`.
    """

    nqn: str = reported.text('')
    subtype: str = reported.text('')
    listen_addresses: tuple = reported.array(ListenAddress.parse)
    allow_any_host: bool = reported.flag()
    hosts: tuple = reported.array(_host_nqn)
    serial_number: str = reported.text()
    model_number: str = reported.text()
    max_namespaces: int = reported.number()
    min_cntlid: int = reported.number()
    max_cntlid: int = reported.number()
    admin_label: str = reported.text()
    namespaces: tuple = reported.array(Namespace.parse)

    @property
    def is_discovery(self):
        """Whether it is a discovery subsystem: it has no namespaces."""
        return self.subtype.startswith('Discovery')

    def namespace(self, nsid):
        """Its :class:`Namespace` of that number, or None."""
        return next((one for one in self.namespaces if one.nsid == nsid),
                    None)


@dataclasses.dataclass(frozen=True)
class Transport(reported.Reported):
    """An NVMe-oF transport; its many options are in ``raw``.

    :ivar trtype: ``TCP``, ``RDMA``, ``VFIOUSER``, ...
    :ivar max_queue_depth: entries of an I/O queue.
    :ivar max_io_qpairs_per_ctrlr: I/O queue pairs of a controller.
    :ivar in_capsule_data_size: bytes.
    :ivar max_io_size: bytes.
    """

    trtype: str = reported.text('')
    max_queue_depth: int = reported.number()
    max_io_qpairs_per_ctrlr: int = reported.number()
    in_capsule_data_size: int = reported.number()
    max_io_size: int = reported.number()


@dataclasses.dataclass(frozen=True)
class AnaState(reported.Reported):
    """ANA state of a listener in one ANA group.

    :ivar ana_group: number of the group.
    :ivar ana_state: ``optimized``, ``non_optimized`` or ``inaccessible``.
    """

    ana_group: int = reported.number(0)
    ana_state: str = reported.text('')


@dataclasses.dataclass(frozen=True)
class Listener(reported.Reported):
    """A listener with its ANA states.

    :ivar address: :class:`ListenAddress`.
    :ivar ana_states: tuple of :class:`AnaState`; empty unless the
        subsystem reports ANA. Until v22.09 there was one for all groups:
        it has group 0.
    """

    address: ListenAddress = dataclasses.field(
        default_factory=ListenAddress)
    ana_states: tuple = reported.array(AnaState.parse)

    @classmethod
    def parse(cls, raw):
        """See :meth:`Reported.parse`."""
        states = AnaState.parse_list(raw.get('ana_states'))
        if not states and isinstance(raw.get('ana_state'), str):
            states = [AnaState(ana_state=raw['ana_state'])]
        return cls(address=ListenAddress.parse(raw.get('address') or {}),
                   ana_states=tuple(states), raw=raw)


@dataclasses.dataclass(frozen=True)
class Controller(reported.Reported):
    """A controller: what a connected host sees of a subsystem.

    :ivar cntlid: its number.
    :ivar hostnqn: NQN of the host.
    :ivar hostid: host identifier (UUID).
    :ivar num_io_qpairs: I/O queue pairs that are connected.
    """

    cntlid: int = reported.number(0)
    hostnqn: str = reported.text('')
    hostid: str = reported.text('')
    num_io_qpairs: int = reported.number(0)


@dataclasses.dataclass(frozen=True)
class QueuePair(reported.Reported):
    """A connected queue pair.

    :ivar cntlid: its controller.
    :ivar qid: its number; 0 is the admin queue.
    :ivar state: ``enabled``, ``connecting``, ...
    :ivar hostnqn: NQN of the host (v26.05), or None.
    :ivar listen_address: where the host came in.
    :ivar peer_address: where it comes from (v26.05).
    """

    cntlid: int = reported.number(0)
    qid: int = reported.number(0)
    state: str = reported.text('')
    hostnqn: str = reported.text()
    listen_address: ListenAddress = None
    peer_address: ListenAddress = None

    @classmethod
    def parse(cls, raw):
        """See :meth:`Reported.parse`."""
        found = super().parse(raw)
        addresses = {key: ListenAddress.parse(raw[key])
                     for key in ('listen_address', 'peer_address')
                     if isinstance(raw.get(key), dict)}
        return dataclasses.replace(found, **addresses)


@dataclasses.dataclass(frozen=True)
class Referral(reported.Reported):
    """Another discovery service that hosts are sent to.

    :ivar address: :class:`ListenAddress`.
    :ivar subnqn: NQN of its discovery subsystem.
    :ivar secure_channel: whether it wants TLS.
    """

    address: ListenAddress = None
    subnqn: str = reported.text('')
    secure_channel: bool = reported.flag()

    @classmethod
    def parse(cls, raw):
        """See :meth:`Reported.parse`."""
        return dataclasses.replace(
            super().parse(raw),
            address=ListenAddress.parse(raw.get('address') or {}))


@dataclasses.dataclass(frozen=True)
class NvmePath(reported.Reported):
    """One path of an attached NVMe controller.

    :ivar state: ``enabled``, ``resetting``, ...; None before v22.01.
    :ivar trid: :class:`ListenAddress` that it leads to.
    :ivar subnqn: NQN of the subsystem there; empty for PCIe.
    :ivar cntlid: number of the controller there, or None (v22.09).
    """

    state: str = reported.text()
    trid: ListenAddress = None
    subnqn: str = reported.text('')
    cntlid: int = reported.number()

    @classmethod
    def parse(cls, raw):
        """See :meth:`Reported.parse`."""
        trid = raw.get('trid') or {}
        return dataclasses.replace(
            super().parse(raw), trid=ListenAddress.parse(trid),
            subnqn=trid.get('subnqn') or '')

    @property
    def place(self):
        """What tells two paths apart."""
        fabrics = self.trid.trtype.upper() in ('TCP', 'RDMA')
        return (*self.trid.place, self.subnqn if fabrics else None)


@dataclasses.dataclass(frozen=True)
class NvmeController(reported.Reported):
    """An attached NVMe controller: a name with one or more paths.

    :ivar name: its name; its bdevs are ``<name>n<nsid>``.
    :ivar paths: tuple of :class:`NvmePath`.
    """

    name: str = reported.text('')
    paths: tuple = ()

    @classmethod
    def parse(cls, raw):
        """See :meth:`Reported.parse`; one path, by itself, until v21.07."""
        paths = raw.get('ctrlrs')
        if not isinstance(paths, list):
            paths = [raw] if 'trid' in raw else []
        return dataclasses.replace(super().parse(raw), paths=tuple(
            NvmePath.parse_list(paths)))
