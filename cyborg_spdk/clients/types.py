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

"""What SPDK reports, as documented frozen dataclasses.

The fields have SPDK's own names. A field that a release lacks has its
default, and one that a release adds is only in ``raw``: reading never
fails because of the release. ``raw`` is the object as it came.
"""

import dataclasses

from cyborg_spdk.clients import kinds
from cyborg_spdk.clients import validate


def _of(kind, default):
    """A field that takes values of one JSON type; others count as absent."""
    return dataclasses.field(default=default, metadata={'type': kind})


def _text(default=None):
    return _of(str, default)


def _int(default=None):
    return _of(int, default)


def _flag(default=False):
    return _of(bool, default)


def _object():
    return dataclasses.field(default_factory=dict, hash=False,
                             metadata={'type': dict})


def _list(item=None):
    """A tuple of what ``item`` makes of the elements of a JSON array."""
    return dataclasses.field(default=(), metadata={'type': list,
                                                   'item': item})


@dataclasses.dataclass(frozen=True)
class Reported:
    """Base of all: an object that a target reported.

    :ivar raw: the JSON object as it came; not compared.
    """

    raw: dict = dataclasses.field(default_factory=dict, repr=False,
                                  compare=False, kw_only=True)

    @classmethod
    def parse(cls, raw):
        """Make an instance of what a target reported.

        :param raw: the JSON object (dict).
        """
        values = {}
        for field in dataclasses.fields(cls):
            kind = field.metadata.get('type')
            value = raw.get(field.metadata.get('key', field.name))
            if kind is None or not isinstance(value, kind) or (
                    kind is int and isinstance(value, bool)):
                continue
            item = field.metadata.get('item')
            if kind is list:
                value = tuple(item(one) if item else one for one in value)
            values[field.name] = value
        return cls(**values, raw=raw)

    @classmethod
    def parse_list(cls, raw):
        """Make a list of instances.

        :param raw: a JSON array of objects; null counts as empty.
        """
        return [cls.parse(one) for one in raw or () if isinstance(one, dict)]


@dataclasses.dataclass(frozen=True)
class Bdev(Reported):
    """A block device.

    :ivar name: its name; an lvol's is its UUID.
    :ivar product_name: which module it is of, in SPDK's words.
    :ivar block_size: bytes of one block.
    :ivar num_blocks: how many blocks it has.
    :ivar aliases: further names (``lvstore/lvol``; since v23.05 the UUID).
    :ivar uuid: since v18.04, or None.
    :ivar claimed: whether a module has it for itself.
    :ivar claim_type: how, since v23.05 and only while claimed, or None.
    :ivar md_size: bytes of metadata of each block, or 0.
    :ivar zoned: whether it has zones (v19.10).
    :ivar assigned_rate_limits: QoS limits by name; 0 is none (v18.10).
    :ivar supported_io_types: whether it can do an operation, by name.
    :ivar driver_specific: what its module tells; see :attr:`bases`.
    """

    name: str = _text('')
    product_name: str = _text('')
    block_size: int = _int(0)
    num_blocks: int = _int(0)
    aliases: tuple = _list()
    uuid: str = _text()
    claimed: bool = _flag()
    claim_type: str = _text()
    md_size: int = _int(0)
    zoned: bool = _flag()
    assigned_rate_limits: dict = _object()
    supported_io_types: dict = _object()
    driver_specific: dict = _object()

    @property
    def size(self):
        """Bytes, metadata not counted."""
        return self.block_size * self.num_blocks

    @property
    def kind(self):
        """Its :class:`~cyborg_spdk.clients.kinds.Kind`."""
        return kinds.of_bdev(self.product_name)

    @property
    def own(self):
        """The object that its module adds to ``driver_specific``."""
        for value in self.driver_specific.values():
            if isinstance(value, dict):
                return value
        return {}

    @property
    def bases(self):
        """Names of the bdevs that it stands on (tuple of str).

        ``base_bdev_name``: passthru, delay, crypto, compress, zone_block;
        ``base_bdev``: error, split, lvol, ftl; ``base_bdevs_list``: raid,
        with names alone until v22.09.
        """
        members = self.own.get('base_bdevs_list')
        if isinstance(members, list):
            names = [one.get('name') if isinstance(one, dict) else one
                     for one in members]
        else:
            names = [self.own.get('base_bdev_name')
                     or self.own.get('base_bdev')]
        return tuple(one for one in names if one and isinstance(one, str))

    def known_as(self, name):
        """Whether ``name`` is its name, one of its aliases or its UUID."""
        return name == self.name or name in self.aliases or (
            self.uuid is not None and name == self.uuid)


@dataclasses.dataclass(frozen=True)
class ListenAddress(Reported):
    """Where a subsystem listens, or what a controller connects to.

    :ivar trtype: transport: ``TCP``, ``RDMA``, ``VFIOUSER``, ``PCIe``...
    :ivar traddr: address.
    :ivar trsvcid: port, as a string.
    :ivar adrfam: ``IPv4``, ``IPv6``, ``IB``, or None where it is not told.
    """

    trtype: str = _text('')
    traddr: str = _text('')
    trsvcid: str = _text('')
    adrfam: str = _text()

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
            except validate.exceptions.InvalidValue:
                pass
        return self.trtype.upper(), address, self.trsvcid

    def __str__(self):
        address = f'[{self.traddr}]' if ':' in self.traddr and \
            self.trsvcid else self.traddr
        return f'{self.trtype}:{address}' + (
            f':{self.trsvcid}' if self.trsvcid else '')


@dataclasses.dataclass(frozen=True)
class Namespace(Reported):
    """A namespace of an NVM subsystem.

    :ivar nsid: its number, from 1.
    :ivar bdev_name: the bdev behind it.
    :ivar nguid: 32 hexadecimal digits, or None.
    :ivar eui64: 16 hexadecimal digits, or None.
    :ivar uuid: UUID, or None.
    :ivar anagrpid: ANA group, or None where ANA is not reported.
    """

    nsid: int = _int(0)
    bdev_name: str = _text('')
    nguid: str = _text()
    eui64: str = _text()
    uuid: str = _text()
    anagrpid: int = _int()

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
class Subsystem(Reported):
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
    :ivar namespaces: tuple of :class:`Namespace`.
    """

    nqn: str = _text('')
    subtype: str = _text('')
    listen_addresses: tuple = _list(ListenAddress.parse)
    allow_any_host: bool = _flag()
    hosts: tuple = _list(_host_nqn)
    serial_number: str = _text()
    model_number: str = _text()
    max_namespaces: int = _int()
    min_cntlid: int = _int()
    max_cntlid: int = _int()
    namespaces: tuple = _list(Namespace.parse)

    @property
    def is_discovery(self):
        """Whether it is a discovery subsystem: it has no namespaces."""
        return self.subtype.startswith('Discovery')

    def namespace(self, nsid):
        """Its :class:`Namespace` of that number, or None."""
        return next((one for one in self.namespaces if one.nsid == nsid),
                    None)


@dataclasses.dataclass(frozen=True)
class Transport(Reported):
    """An NVMe-oF transport; its many options are in ``raw``.

    :ivar trtype: ``TCP``, ``RDMA``, ``VFIOUSER``, ...
    :ivar max_queue_depth: entries of an I/O queue.
    :ivar max_io_qpairs_per_ctrlr: I/O queue pairs of a controller.
    :ivar in_capsule_data_size: bytes.
    :ivar max_io_size: bytes.
    """

    trtype: str = _text('')
    max_queue_depth: int = _int()
    max_io_qpairs_per_ctrlr: int = _int()
    in_capsule_data_size: int = _int()
    max_io_size: int = _int()


@dataclasses.dataclass(frozen=True)
class AnaState(Reported):
    """ANA state of a listener in one ANA group.

    :ivar ana_group: number of the group.
    :ivar ana_state: ``optimized``, ``non_optimized`` or ``inaccessible``.
    """

    ana_group: int = _int(0)
    ana_state: str = _text('')


@dataclasses.dataclass(frozen=True)
class Listener(Reported):
    """A listener with its ANA states.

    :ivar address: :class:`ListenAddress`.
    :ivar ana_states: tuple of :class:`AnaState`; empty unless the
        subsystem reports ANA. Until v22.09 there was one for all groups:
        it has group 0.
    """

    address: ListenAddress = dataclasses.field(
        default_factory=ListenAddress)
    ana_states: tuple = _list(AnaState.parse)

    @classmethod
    def parse(cls, raw):
        """See :meth:`Reported.parse`."""
        states = AnaState.parse_list(raw.get('ana_states'))
        if not states and isinstance(raw.get('ana_state'), str):
            states = [AnaState(ana_state=raw['ana_state'])]
        return cls(address=ListenAddress.parse(raw.get('address') or {}),
                   ana_states=tuple(states), raw=raw)


@dataclasses.dataclass(frozen=True)
class Controller(Reported):
    """A controller: what a connected host sees of a subsystem.

    :ivar cntlid: its number.
    :ivar hostnqn: NQN of the host.
    :ivar hostid: host identifier (UUID).
    :ivar num_io_qpairs: I/O queue pairs that are connected.
    """

    cntlid: int = _int(0)
    hostnqn: str = _text('')
    hostid: str = _text('')
    num_io_qpairs: int = _int(0)


@dataclasses.dataclass(frozen=True)
class QueuePair(Reported):
    """A connected queue pair.

    :ivar cntlid: its controller.
    :ivar qid: its number; 0 is the admin queue.
    :ivar state: ``enabled``, ``connecting``, ...
    :ivar hostnqn: NQN of the host (v26.05), or None.
    :ivar listen_address: where the host came in.
    :ivar peer_address: where it comes from (v26.05).
    """

    cntlid: int = _int(0)
    qid: int = _int(0)
    state: str = _text('')
    hostnqn: str = _text()
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
class Referral(Reported):
    """Another discovery service that hosts are sent to.

    :ivar address: :class:`ListenAddress`.
    :ivar subnqn: NQN of its discovery subsystem.
    :ivar secure_channel: whether it wants TLS.
    """

    address: ListenAddress = None
    subnqn: str = _text('')
    secure_channel: bool = _flag()

    @classmethod
    def parse(cls, raw):
        """See :meth:`Reported.parse`."""
        return dataclasses.replace(
            super().parse(raw),
            address=ListenAddress.parse(raw.get('address') or {}))


@dataclasses.dataclass(frozen=True)
class ScsiLun(Reported):
    """A LUN of a vhost SCSI target.

    :ivar id: its number.
    :ivar bdev_name: the bdev behind it.
    """

    id: int = _int(0)
    bdev_name: str = _text('')


@dataclasses.dataclass(frozen=True)
class ScsiTarget(Reported):
    """A target of a vhost SCSI controller.

    :ivar scsi_dev_num: its number, 0 to 7.
    :ivar id: id of the SCSI device.
    :ivar target_name: ``Target N``.
    :ivar luns: tuple of :class:`ScsiLun`.
    """

    scsi_dev_num: int = _int(0)
    id: int = _int(0)
    target_name: str = _text('')
    luns: tuple = _list(ScsiLun.parse)


@dataclasses.dataclass(frozen=True)
class VhostController(Reported):
    """A vhost controller of either kind.

    :ivar ctrlr: its name.
    :ivar cpumask: cores that it may use, as text (``0x1``).
    :ivar delay_base_us: interrupt coalescing: base delay.
    :ivar iops_threshold: interrupt coalescing: from how many IOPS.
    :ivar socket: its vhost-user socket on the target's host, or None
        before v18.07.
    :ivar backend_specific: what tells the kind.
    """

    ctrlr: str = _text('')
    cpumask: str = _text()
    delay_base_us: int = _int(0)
    iops_threshold: int = _int(0)
    socket: str = _text()
    backend_specific: dict = _object()

    @property
    def kind(self):
        """``blk``, ``scsi``, ``nvme`` (until v20.07), or None."""
        for key, name in (('block', 'blk'), ('scsi', 'scsi'),
                          ('namespaces', 'nvme')):
            if key in self.backend_specific:
                return name
        return None

    @property
    def bdev(self):
        """Bdev of a block controller; None if that is gone, or for SCSI."""
        block = self.backend_specific.get('block') or {}
        return block.get('bdev')

    @property
    def readonly(self):
        """Whether a block controller refuses writes."""
        block = self.backend_specific.get('block') or {}
        return bool(block.get('readonly'))

    @property
    def scsi_targets(self):
        """Targets of a SCSI controller (tuple of :class:`ScsiTarget`)."""
        return tuple(ScsiTarget.parse_list(self.backend_specific.get('scsi')))


@dataclasses.dataclass(frozen=True)
class ScsiDevice(Reported):
    """A SCSI device of the target, for vhost or iSCSI.

    :ivar id: its number.
    :ivar device_name: its name.
    """

    id: int = _int(0)
    device_name: str = _text('')


@dataclasses.dataclass(frozen=True)
class Version(Reported):
    """Release of the target, as it tells it.

    :ivar version: one line: ``SPDK v26.05 git sha1 d519b163cb``.
    :ivar fields: ``major``, ``minor``, ``patch``, ``suffix``, ``commit``.
    """

    version: str = _text('')
    fields: dict = _object()
