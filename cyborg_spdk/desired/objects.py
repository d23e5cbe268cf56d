# SPDX-License-Identifier: Apache-2.0

"""The objects of a target, from an SPDK configuration."""

import collections.abc
import dataclasses

from cyborg_spdk.desired import configuration
from cyborg_spdk.desired import kinds
from cyborg_spdk.rpc.protocol import catalogue

#: Where an object comes from: units.yaml, or seen in the target.
DECLARED = 'declared'
KEPT = 'kept'

# Levels of a RAID that stay up without a base: SPDK's names, old and new.
_REDUNDANT = frozenset({'1', 'raid1', '5f', 'raid5f'})
_REMOVED = 'removed_base_bdev_'


@dataclasses.dataclass
class Object:
    """One thing that a target is to have.

    :ivar key: ``kind:name``.
    :ivar method: the call that makes it, by its newest name; None for what
        comes by itself with what it stands on (an lvol, the namespaces of
        an attached controller).
    :ivar params: of that call, as they were seen first; never reduced to
        what a release has.
    :ivar level: when it is made (:mod:`cyborg_spdk.desired.kinds`).
    :ivar part_of: key of what it goes with when that is deleted, or None.
    :ivar stands_on: keys of what has to be there before.
    :ivar aliases: other names of a bdev.
    :ivar release: in which release it was seen, or None.
    :ivar origin: :data:`DECLARED` or :data:`KEPT`.
    :ivar seen: parameters as last seen in the target, where they are not
        :attr:`params`.
    :ivar missing_since: seconds since the epoch, or None while it is there.
    :ivar why: why it is missing, or None.
    :ivar deleted_since: a declared one that was deleted behind our back:
        it is not made again before it is declared anew.
    :ivar tries: how often it could not be made.
    :ivar next_try: seconds since the epoch.
    :ivar blocked: whether something outside of the target was seen to stand
        in its way: a file, an address, a port.
    """

    key: str
    method: str | None
    params: kinds.Params
    level: int
    part_of: str | None = None
    stands_on: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    release: str | None = None
    origin: str = KEPT
    seen: kinds.Params | None = None
    missing_since: float | None = None
    why: str | None = None
    deleted_since: float | None = None
    tries: int = 0
    next_try: float = 0.0
    blocked: bool = False

    @property
    def kind(self) -> str:
        """What it is: ``bdev``, ``namespace``, ``listener``, ..."""
        return self.key.partition(':')[0]

    @property
    def name(self) -> str:
        """Its name: the key without the kind."""
        return self.key.partition(':')[2]

    @property
    def is_shown(self) -> bool:
        """Whether a target shows that it has it."""
        return self.kind != 'call'


Objects = dict[str, Object]


def of_call(method: str, params: kinds.Params | None,
            release: str | None = None) -> Object:
    """The object that a call makes.

    :param method: its name in any release.
    :param params: its parameters, or None.
    :param release: in which it was seen, or None.
    """
    method = catalogue.current_name(method)
    params = params or {}
    made = kinds.made_by(method, params)
    return Object(made.key, method, params, made.level, made.part_of,
                  made.stands_on, release=release)


def of_config(config: configuration.Config,
              release: str | None = None) -> Objects:
    """The objects that a configuration makes, in its order.

    LUNs of a target node, and bases of a RAID that can do without one, are
    objects of their own: they come and go by themselves.

    :param config: as :func:`cyborg_spdk.desired.configuration.read` returns
        it.
    :param release: in which it was seen, or None.
    :returns: dict by key. Of two calls that make the same, the first
        counts, as it does in SPDK.
    """
    return of_calls(((call['method'], call.get('params'))
                     for _, call in configuration.calls(config)), release)


def of_calls(
        calls: collections.abc.Iterable[tuple[str, kinds.Params | None]],
        release: str | None = None) -> Objects:
    """Like :func:`of_config`, from pairs of method and parameters."""
    found: Objects = {}
    for method, params in calls:
        if method in configuration.WAITS:
            continue
        one = of_call(method, params, release)
        for part in (one, *_parts(one)):
            found.setdefault(part.key, part)
    return found


def _parts(one: Object) -> list[Object]:
    if one.method == 'iscsi_create_target_node' and one.is_shown and \
            isinstance(one.params.get('luns'), list):
        params = one.params
        one.params = {name: value for name, value in params.items()
                      if name != 'luns'}
        return [of_call('iscsi_target_node_add_lun', {
            'name': params['name'], 'bdev_name': lun.get('bdev_name'),
            'lun_id': lun.get('lun_id', number)}, one.release)
            for number, lun in enumerate(params['luns'])]
    if one.method == 'bdev_raid_create' and \
            str(one.params.get('raid_level')) in _REDUNDANT:
        return [of_call('bdev_raid_add_base_bdev', {
            'raid_bdev': one.params.get('name'), 'base_bdev': base},
            one.release) for base in kinds.raid_bases(one.params)
            if not base.startswith(_REMOVED)]
    return []


def node_luns(node: Object, objects: Objects) -> list[kinds.Params]:
    """The LUNs of a target node, as its call takes them."""
    return sorted(({'bdev_name': one.params['bdev_name'],
                    'lun_id': one.params['lun_id']}
                   for one in objects.values()
                   if one.part_of == node.key and one.kind == 'lun'),
                  key=lambda lun: lun['lun_id'])
