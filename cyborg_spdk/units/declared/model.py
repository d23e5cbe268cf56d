# SPDX-License-Identifier: Apache-2.0

"""What ``units.yaml`` declares, checked, as plain data."""

import dataclasses
import json
import re
from typing import Any
import uuid

from oslo_config import cfg

from cyborg_spdk.clients import addresses
from cyborg_spdk.clients import validate
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.units.declared import document

#: Kinds of targets by how units are exported.
KINDS = {'nvmf': 'nvmf', 'vhost-blk': 'vhost', 'iscsi': 'iscsi'}

_CLUSTER = 4 << 20
_NAMES = uuid.UUID('5f0a5d9e-6d5f-4d3c-9f3c-d0b6f7ac3f5e')
_NUMBER = re.compile(r'\{n(?::0(\d))?\}')


@dataclasses.dataclass(frozen=True)
class Disk:
    """A disk of a pool.

    :ivar bdev: name of its bdev.
    :ivar kind: ``pci``, ``file`` or ``device``.
    :ivar place: PCI address or path.
    :ivar size: bytes of a file that is to be made, or None.
    :ivar engine: ``aio`` or ``uring``.
    :ivar block_size: bytes.
    :ivar uuid: UUID of its bdev.
    """

    bdev: str
    kind: str
    place: str
    size: int | None
    engine: str
    block_size: int
    uuid: str


@dataclasses.dataclass(frozen=True)
class Pool:
    """A pool: disks, perhaps as a RAID, with a store for volumes on top.

    :ivar name: its name, and that of its store.
    :ivar target: the target that has it.
    :ivar raid: level in SPDK's words, or None.
    :ivar cluster_size: bytes.
    :ivar thin: whether volumes take space only as they are written.
    :ivar overcommit: how many times its size thin volumes may have.
    :ivar wipe: method, depth, size_mb, rate_mb, as far as they are said.
    """

    name: str
    target: spdk_conf.Target
    disks: tuple[Disk, ...]
    raid: str | None
    strip_size_kb: int | None
    cluster_size: int
    thin: bool
    overcommit: float
    wipe: dict[str, Any] = dataclasses.field(hash=False)

    @property
    def top(self) -> str:
        """Name of the bdev that the store is on."""
        return f'{self.name}-raid' if self.raid else self.disks[0].bdev


@dataclasses.dataclass(frozen=True)
class Unit:
    """A unit.

    :ivar pool: name of its pool.
    :ivar name: its name, and that of its volume.
    :ivar target: the target that exports it.
    :ivar size: bytes.
    :ivar export: ``nvmf``, ``vhost-blk`` or ``iscsi``.
    :ivar address: NQN, name of the controller, or IQN.
    :ivar places: listeners or portals.
    :ivar qos_class: name of its class of QoS, or empty.
    """

    pool: str
    name: str
    target: spdk_conf.Target
    size: int
    export: str
    address: str
    places: tuple[str, ...]
    tls: bool
    encryption: bool
    limits: tuple[tuple[str, int], ...]
    qos_class: str = ''

    @property
    def volume(self) -> str:
        """Alias of its volume."""
        return f'{self.pool}/{self.name}'

    @property
    def bdev(self) -> str:
        """Name of the bdev that is exported."""
        return f'{self.pool}-{self.name}-crypto' if self.encryption \
            else self.volume

    def handle(self, socket: str | None = None) -> str:
        """Its attach handle.

        :param socket: of a vhost controller, once there is one.
        """
        value = {'nvmf': {'nqn': self.address, 'nsid': '1'},
                 'iscsi': {'iqn': self.address, 'lun': '0'},
                 'vhost-blk': {'socket': socket or ''}}[self.export]
        return json.dumps(value, sort_keys=True, separators=(',', ':'))


@dataclasses.dataclass(frozen=True)
class Declaration:
    """All that the file says.

    :ivar pools: by name.
    :ivar units: in the order of the file.
    """

    pools: dict[str, Pool]
    units: tuple[Unit, ...]

    def of_pool(self, name: str) -> list[Unit]:
        """The units of a pool."""
        return [one for one in self.units if one.pool == name]


def load(conf: cfg.ConfigOpts) -> Declaration:
    """Read ``[spdk] units_file``.

    :param conf: the configuration.
    :returns: an empty one if the option is not set.
    :raises InvalidValue: it names line, value and remedy.
    :raises StateError: if the file cannot be read.
    """
    if not conf.spdk.units_file:
        return Declaration({}, ())
    found = document.read(conf.spdk.units_file)
    targets = {one.name: one for one in spdk_conf.targets(conf)}
    pools: dict[str, Pool] = {}
    places: set[str] = set()
    for number, raw in enumerate(found.content['pools']):
        pool = _pool(found, ('pools', number), raw, targets)
        if pool.name in pools:
            raise found.error(('pools', number, 'name'), pool.name,
                              'another pool has that name')
        for at, disk in enumerate(pool.disks):
            if disk.place in places:
                raise found.error(('pools', number, 'disks', at), disk.place,
                                  'it is there twice; a disk is of one pool')
            places.add(disk.place)
        pools[pool.name] = pool
    units: list[Unit] = []
    for number, raw in enumerate(found.content.get('units') or ()):
        made = _units(found, ('units', number), raw, pools, targets)
        _check_unique(found, ('units', number), units, made)
        units += made
    return Declaration(pools, tuple(units))


def _pool(found: document.Document, where: tuple[str | int, ...],
          raw: dict[str, Any],
          targets: dict[str, spdk_conf.Target]) -> Pool:
    target = targets.get(raw['target'])
    if target is None:
        raise found.error((*where, 'target'), raw['target'], 'no target has '
                          'that name; use one of ' + ', '.join(targets))
    raid = raw.get('raid') or {}
    if len(raw['disks']) > 1 and not raid:
        raise found.error((*where, 'disks'), '...', 'several disks need '
                          'raid: {level: 0}, 1, 5f or concat')
    level = {'0': 'raid0', '1': 'raid1', '5f': 'raid5f', 'concat': 'concat',
             '': None}[str(raid.get('level', ''))]
    strip = raid.get('strip_size_kb') or (None if level == 'raid1' else 64)
    if level == 'raid5f':
        strip = _whole_stripes(found, where, raw)
    thin, overcommit = raw.get('thin', False), raw.get('overcommit', 1)
    if overcommit > 1 and not thin:
        raise found.error((*where, 'overcommit'), overcommit,
                          'only thin volumes can be more than the pool has')
    wipe = raw.get('wipe') or {}
    return Pool(
        name=raw['name'], target=target, raid=level,
        disks=tuple(_disk(found, (*where, 'disks', number), one, raw['name'],
                          number) for number, one in enumerate(raw['disks'])),
        strip_size_kb=strip if level else None,
        cluster_size=_size(found, (*where, 'cluster_size'),
                           raw.get('cluster_size', _CLUSTER)),
        thin=thin, overcommit=float(overcommit),
        wipe={'method': wipe} if isinstance(wipe, str) else dict(wipe))


def _whole_stripes(found: document.Document, where: tuple[str | int, ...],
                   raw: dict[str, Any]) -> int:
    """The strip size of a raid5f, in KiB: it takes whole stripes alone.

    (bdev.c of SPDK fails any other write.) Stores write pages of 4 KiB.
    """
    width = len(raw['disks']) - 1
    strip = raw['raid'].get('strip_size_kb') or 4 // max(width, 1)
    if width < 2 or not strip or 4 % (strip * width):
        raise found.error(
            (*where, 'raid'), f'5f of {width + 1} disks with '
            f'strip_size_kb {strip or 1}', 'it takes whole stripes alone, '
            'and a store writes 4 KiB: use 3 disks with strip_size_kb 2, 5 '
            'with 1, or level 1')
    for number, disk in enumerate(raw['disks']):
        if 'pci' not in disk and disk.get(
                'block_size', 4096 if 'file' in disk else 512) != 512:
            raise found.error(
                (*where, 'disks', number), disk.get('file', '...'),
                'a strip of 5f is smaller than its blocks; add block_size: '
                '512')
    return int(strip)


def _disk(found: document.Document, where: tuple[str | int, ...],
          raw: dict[str, Any], pool: str, number: int) -> Disk:
    kind = next(one for one in ('pci', 'file', 'device') if one in raw)
    for name in ('size', 'engine', 'block_size'):
        if name in raw and kind == 'pci':
            raise found.error((*where, name), raw[name],
                              'an NVMe controller has its own; leave it out')
    if 'size' in raw and kind == 'device':
        raise found.error((*where, 'size'), raw['size'],
                          'a device has its own; leave it out')
    place = str(raw[kind])
    size = _size(found, (*where, 'size'), raw['size']) \
        if 'size' in raw else None
    bdev = f'{pool}-{number}'
    if kind == 'pci':
        bdev += f'n{raw.get("namespace", 1)}'
    return Disk(bdev, kind, place, size, raw.get('engine', 'aio'),
                raw.get('block_size', 4096 if kind == 'file' else 512),
                str(uuid.uuid5(_NAMES, f'{pool} {place}')))


def _size(found: document.Document, where: tuple[str | int, ...],
          value: Any) -> int:
    try:
        return int(validate.size('size', value))
    except exceptions.InvalidValue as exc:
        raise found.error(where, value, exc.reason) from None


def _units(found: document.Document, where: tuple[str | int, ...],
           raw: dict[str, Any], pools: dict[str, Pool],
           targets: dict[str, spdk_conf.Target]) -> list[Unit]:
    pool = pools.get(raw['pool'])
    if pool is None:
        raise found.error((*where, 'pool'), raw['pool'], 'no pool has that '
                          'name; use one of ' + ', '.join(pools))
    count = raw.get('count', 1)
    if count > 1 and not _NUMBER.search(raw['name']):
        raise found.error((*where, 'name'), raw['name'], 'several units need '
                          '{n} in it, which is the number from 1 on')
    places = _places(found, where, raw)
    target = _exporter(found, where, raw, pool, targets)
    size = _size(found, (*where, 'size'), raw['size'])
    clusters = -(-size // pool.cluster_size)
    made = []
    for number in range(1, count + 1):
        name = _name(found, where, raw['name'], number)
        made.append(Unit(
            pool=pool.name, name=name, target=target,
            size=clusters * pool.cluster_size, export=raw['export'],
            address=_address(found, where, raw, name, number),
            places=places, tls=raw.get('tls', False),
            encryption=raw.get('encryption', False),
            limits=tuple(sorted((raw.get('limits') or {}).items())),
            qos_class=raw.get('qos_class', '')))
    return made


def _name(found: document.Document, where: tuple[str | int, ...],
          pattern: str, number: int) -> str:
    name = _NUMBER.sub(
        lambda match: str(number).zfill(int(match[1] or 0)), pattern)
    if re.search('[{}:]', name):
        raise found.error((*where, 'name'), pattern,
                          'only {n} and {n:03} are known')
    return name


def _exporter(found: document.Document, where: tuple[str | int, ...],
              raw: dict[str, Any], pool: Pool,
              targets: dict[str, spdk_conf.Target]) -> spdk_conf.Target:
    """The target of the export's kind in the process that has the pool."""
    kind = KINDS[raw['export']]
    address = rpc.parse_address(pool.target.rpc_address)
    for one in targets.values():
        if one.kind == kind and rpc.parse_address(
                one.rpc_address) == address:
            return one
    raise found.error(
        (*where, 'export'), raw['export'], f'the target {pool.target.name} '
        f'of pool {pool.name} has no {kind}; use '
        + next(name for name, one in KINDS.items()
               if one == pool.target.kind)
        + ', or an spdk_tgt for both')


def _places(found: document.Document, where: tuple[str | int, ...],
            raw: dict[str, Any]) -> tuple[str, ...]:
    export = raw['export']
    wanted = {'nvmf': 'listeners', 'iscsi': 'portals'}.get(export)
    for name, only in (('listeners', 'nvmf'), ('nqn', 'nvmf'),
                       ('tls', 'nvmf'), ('portals', 'iscsi')):
        if name in raw and export != only:
            raise found.error((*where, name), raw[name],
                              f'it is for export: {only}')
    if wanted is None:
        return ()
    if wanted not in raw:
        raise found.error(where, '...', f'{wanted} are missing: where the '
                          'units are reached')
    for number, one in enumerate(raw[wanted] if export == 'nvmf' else ()):
        try:
            addresses.parse(one)
        except exceptions.InvalidValue as exc:
            raise found.error((*where, wanted, number), one,
                              exc.reason) from None
    return tuple(raw[wanted])


def _address(found: document.Document, where: tuple[str | int, ...],
             raw: dict[str, Any], name: str, number: int) -> str:
    if raw['export'] == 'vhost-blk':
        return f'{raw["pool"]}-{name}'
    if raw['export'] == 'iscsi':
        return f'iqn.2016-06.io.spdk:{raw["pool"]}-{name}'
    pattern = raw.get('nqn')
    if pattern is None:
        return f'nqn.2016-06.io.spdk:{raw["pool"]}-{name}'
    nqn = _NUMBER.sub(lambda match: str(number).zfill(int(match[1] or 0)),
                      pattern.replace('{name}', name))
    try:
        return str(validate.nqn(nqn))
    except exceptions.InvalidValue as exc:
        raise found.error((*where, 'nqn'), pattern, exc.reason) from None


def _check_unique(found: document.Document, where: tuple[str | int, ...],
                  units: list[Unit], made: list[Unit]) -> None:
    """Refuse an entry that makes what it or another one has made."""
    for what, key in (('volume', 'name'), ('address', 'nqn')):
        seen = {getattr(one, what) for one in units}
        for one in made:
            value = getattr(one, what)
            if value in seen:
                raise found.error((*where, key), value, 'two units have that '
                                  'name; each needs one of its own')
            seen.add(value)
