# SPDX-License-Identifier: Apache-2.0

"""NVMe over Fabrics: subsystems and who is connected to them."""

import dataclasses
from typing import Any

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
    adrfam: str | None = reported.text()

    @classmethod
    def parse(cls, raw: reported.Json) -> 'ListenAddress':
        """See :meth:`Reported.parse`; ``transport`` is the old ``trtype``."""
        address = super().parse(raw)
        if not address.trtype and isinstance(raw.get('transport'), str):
            return dataclasses.replace(address, trtype=raw['transport'])
        return address

    @property
    def place(self) -> tuple[str, str, str]:
        """What tells two addresses apart, whatever their spelling."""
        address = self.traddr
        if self.trtype.upper() in ('TCP', 'RDMA'):
            try:
                address = str(validate.ip_address('traddr', address))
            except exceptions.InvalidValue:
                pass
        return self.trtype.upper(), address, self.trsvcid

    def __str__(self) -> str:
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
    nguid: str | None = reported.text()
    eui64: str | None = reported.text()
    uuid: str | None = reported.text()
    anagrpid: int | None = reported.number()

    @classmethod
    def parse(cls, raw: reported.Json) -> 'Namespace':
        """See :meth:`Reported.parse`; ``name`` is the old ``bdev_name``."""
        space = super().parse(raw)
        if not space.bdev_name and isinstance(raw.get('name'), str):
            return dataclasses.replace(space, bdev_name=raw['name'])
        return space


def _host_nqn(raw: Any) -> str:
    return str(raw.get('nqn', '') if isinstance(raw, dict) else raw)


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
    listen_addresses: tuple[ListenAddress, ...] = reported.array(
        ListenAddress.parse)
    allow_any_host: bool = reported.flag()
    hosts: tuple[str, ...] = reported.array(_host_nqn)
    serial_number: str | None = reported.text()
    model_number: str | None = reported.text()
    max_namespaces: int | None = reported.number()
    min_cntlid: int | None = reported.number()
    max_cntlid: int | None = reported.number()
    admin_label: str | None = reported.text()
    namespaces: tuple[Namespace, ...] = reported.array(Namespace.parse)

    @property
    def is_discovery(self) -> bool:
        """Whether it is a discovery subsystem: it has no namespaces."""
        return self.subtype.startswith('Discovery')

    def namespace(self, nsid: int) -> Namespace | None:
        """Its :class:`Namespace` of that number, or None."""
        return next((space for space in self.namespaces if space.nsid == nsid),
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
    max_queue_depth: int | None = reported.number()
    max_io_qpairs_per_ctrlr: int | None = reported.number()
    in_capsule_data_size: int | None = reported.number()
    max_io_size: int | None = reported.number()


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
    ana_states: tuple[AnaState, ...] = reported.array(AnaState.parse)

    @classmethod
    def parse(cls, raw: reported.Json) -> 'Listener':
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


def _address(raw: Any) -> ListenAddress | None:
    return ListenAddress.parse(raw) if isinstance(raw, dict) else None


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
    hostnqn: str | None = reported.text()
    listen_address: ListenAddress | None = None
    peer_address: ListenAddress | None = None

    @classmethod
    def parse(cls, raw: reported.Json) -> 'QueuePair':
        """See :meth:`Reported.parse`."""
        return dataclasses.replace(
            super().parse(raw),
            listen_address=_address(raw.get('listen_address')),
            peer_address=_address(raw.get('peer_address')))


@dataclasses.dataclass(frozen=True)
class Referral(reported.Reported):
    """Another discovery service that hosts are sent to.

    :ivar address: :class:`ListenAddress`.
    :ivar subnqn: NQN of its discovery subsystem.
    :ivar secure_channel: whether it wants TLS.
    """

    address: ListenAddress = dataclasses.field(
        default_factory=ListenAddress)
    subnqn: str = reported.text('')
    secure_channel: bool = reported.flag()

    @classmethod
    def parse(cls, raw: reported.Json) -> 'Referral':
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

    state: str | None = reported.text()
    trid: ListenAddress = dataclasses.field(default_factory=ListenAddress)
    subnqn: str = reported.text('')
    cntlid: int | None = reported.number()

    @classmethod
    def parse(cls, raw: reported.Json) -> 'NvmePath':
        """See :meth:`Reported.parse`."""
        trid = raw.get('trid') or {}
        return dataclasses.replace(
            super().parse(raw), trid=ListenAddress.parse(trid),
            subnqn=trid.get('subnqn') or '')

    @property
    def place(self) -> tuple[str, str, str, str | None]:
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
    paths: tuple[NvmePath, ...] = ()

    @classmethod
    def parse(cls, raw: reported.Json) -> 'NvmeController':
        """See :meth:`Reported.parse`; one path, by itself, until v21.07."""
        paths = raw.get('ctrlrs')
        if not isinstance(paths, list):
            paths = [raw] if 'trid' in raw else []
        return dataclasses.replace(super().parse(raw), paths=tuple(
            NvmePath.parse_list(paths)))
