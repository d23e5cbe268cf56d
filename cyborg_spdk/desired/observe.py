# SPDX-License-Identifier: Apache-2.0

"""What a target has now: one look, two rounds of pipelined calls."""

import dataclasses
import hashlib
import json
import typing

from cyborg_spdk.desired import configuration
from cyborg_spdk.desired import kinds
from cyborg_spdk.desired import objects as desired_objects
from cyborg_spdk import exceptions
from cyborg_spdk import rpc

Reply = typing.Any

# Asked at once, as far as the target has them.
_CALLS: tuple[tuple[str, dict[str, typing.Any]], ...] = (
    ('framework_get_subsystems', {}),
    ('bdev_get_bdevs', {}),
    ('bdev_nvme_get_controllers', {}),
    ('bdev_raid_get_bdevs', {'category': 'all'}),
    ('vhost_get_controllers', {}),
)

#: How bdevs of ours are called that are there for a moment only.
STAND_IN = 'cyborg-spdk-lun-0-of-'

#: States of a path of an NVMe controller in which it serves.
_ENABLED = ('enabled', None)


@dataclasses.dataclass(frozen=True)
class Raid:
    """A RAID as the target lists it.

    :ivar state: ``online``, ``offline`` or ``configuring``.
    :ivar bases: names of the bases that are in it.
    """

    state: str
    bases: tuple[str, ...]


@dataclasses.dataclass
class Observation:
    """What one look has found.

    :ivar objects: dict by key: what the configuration shows, and bdevs that
        came by themselves.
    :ivar config: SPDK's own form of it.
    :ivar names: keys of bdevs by each of their names.
    :ivar controllers: states of the paths of each NVMe controller.
    :ivar raids: dict of :class:`Raid` by name.
    :ivar no_bdev: vhost-blk controllers without a bdev, and how many
        sessions each has.
    :ivar unregistered: names of bdevs that have gone since the last look.
    :ivar overran: whether notifications since the last look were lost.
    :ivar cursor: id of the next notification.
    :ivar release: of the target (str), or None.
    """

    objects: desired_objects.Objects
    config: configuration.Config
    names: dict[str, str]
    controllers: dict[str, list[bool]]
    raids: dict[str, Raid]
    no_bdev: dict[str, int]
    unregistered: set[str] = dataclasses.field(default_factory=set)
    overran: bool = False
    cursor: int = 0
    release: str | None = None

    def has(self, key: str) -> bool:
        """Whether an object is there; a bdev also by another name."""
        return self.find(key) is not None

    def find(self, key: str) -> desired_objects.Object | None:
        """The object of a key; a bdev also by another name."""
        one = self.objects.get(key)
        if one is None and key.startswith('bdev:'):
            one = self.objects.get(self.names.get(key[5:], ''))
        return one


@dataclasses.dataclass(frozen=True)
class Answers:
    """What a target said of itself, as it came.

    :ivar config: SPDK's own form of its configuration.
    :ivar replies: dict of what else was asked, by method.
    :ivar events: the notifications since the last look; None if the release
        has none.
    :ivar release: of the target (str), or None.
    """

    config: configuration.Config
    replies: dict[str, Reply]
    events: list[Reply] | None
    release: str | None

    def digest(self) -> bytes:
        """The same for the same answers; notifications do not count."""
        return hashlib.blake2b(json.dumps(
            [self.config, self.replies, self.release]).encode()).digest()


def look(client: rpc.Client, cursor: int | None = None,
         timeout: float | None = None) -> Observation:
    """Look at a target: :func:`ask` it, and :func:`understand`.

    :param client: a connection (:func:`cyborg_spdk.rpc.connect`).
    :param cursor: that of the last look at the same process, or None.
    :param timeout: seconds for each of the two rounds.
    :returns: :class:`Observation`.
    :raises SpdkError: if it cannot be read as a whole: a part would look
        like a loss.
    """
    return understand(ask(client, cursor, timeout), cursor)


def ask(client: rpc.Client, cursor: int | None = None,
        timeout: float | None = None) -> Answers:
    """Ask a target what it has, in two rounds.

    :param client: a connection (:func:`cyborg_spdk.rpc.connect`).
    :param cursor: that of the last look at the same process, or None.
    :param timeout: seconds for each of the two rounds.
    :returns: :class:`Answers`.
    :raises SpdkError: if it cannot be read as a whole.
    """
    asked = [rpc.Request(method, params) for method, params in _CALLS
             if client.has(method) and all(
                 client.supports(method, param) for param in params)]
    if not any(one.method == 'framework_get_subsystems' for one in asked):
        raise exceptions.rpc_error(
            -32601, 'Method not found', 'framework_get_config', None,
            'this release cannot say what it has (v18.04)')
    if client.has('notify_get_notifications'):
        asked.append(rpc.Request('notify_get_notifications',
                                 {'id': cursor or 0}))
    replies = dict(zip((one.method for one in asked), client.call_many(
        asked, timeout=timeout, raise_errors=True), strict=True))
    names = [entry['subsystem']
             for entry in replies['framework_get_subsystems']]
    config = {'subsystems': [
        {'subsystem': name, 'config': reply} for name, reply in zip(
            names, client.call_many(
                [rpc.Request('framework_get_config', {'name': name})
                 for name in names], timeout=timeout, raise_errors=True),
            strict=True)]}
    return Answers(config, replies,
                   replies.pop('notify_get_notifications', None),
                   str(client.version) if client.version else None)


def understand(answers: Answers, cursor: int | None = None) -> Observation:
    """What the answers of a target say it has.

    :param answers: :class:`Answers`; the parameters of the objects found
        are parts of them.
    :param cursor: that with which they were asked for.
    :returns: :class:`Observation`.
    """
    found = _observation(answers.config, answers.replies, answers.release)
    if answers.events is not None:
        _add_events(found, answers.events, cursor)
    return found


def nothing() -> Observation:
    """What a target has that is not initialised yet."""
    return Observation({}, {}, {}, {}, {}, {})


def _add_events(found: Observation, events: list[Reply],
                cursor: int | None) -> None:
    found.cursor = max([cursor or 0, *(
        event['id'] + 1 for event in events)])
    found.overran = cursor is None or bool(
        events and events[0]['id'] > cursor)
    found.unregistered = {event['ctx'] for event in events
                          if event['type'] == 'bdev_unregister'}


def _observation(config: configuration.Config, replies: dict[str, Reply],
                 release: str | None) -> Observation:
    found = Observation(
        desired_objects.of_config(config, release), config, {},
        _controllers(replies.get('bdev_nvme_get_controllers') or []),
        _raids(replies.get('bdev_raid_get_bdevs') or []),
        _no_bdev(replies.get('vhost_get_controllers') or []),
        release=release)
    bdevs = replies.get('bdev_get_bdevs') or []
    parts = _made_by_others(found.objects)
    for bdev in bdevs:
        if bdev['name'].startswith(STAND_IN):
            continue
        key = f'bdev:{bdev["name"]}'
        for name in (bdev['name'], *(bdev.get('aliases') or ())):
            found.names[name] = key
        one = found.objects.get(key)
        if one is None:
            one = _by_itself(key, bdev, parts, release)
            found.objects[key] = one
        one.aliases = tuple(bdev.get('aliases') or ())
    for key in [key for key, one in found.objects.items()
                if one.kind == 'lun' and str(
                    one.params.get('bdev_name')).startswith(STAND_IN)]:
        del found.objects[key]
    # A RAID or an error bdev is in the configuration without its bdev.
    for key in [key for key, one in found.objects.items()
                if one.kind == 'bdev' and one.name not in found.names]:
        del found.objects[key]
    _drop_lost_bases(found)
    return found


def _drop_lost_bases(found: Observation) -> None:
    for key, one in list(found.objects.items()):
        if one.kind == 'raid-base':
            raid = found.raids.get(one.params['raid_bdev'])
            if raid is not None and one.params['base_bdev'] not in raid.bases:
                del found.objects[key]


def _made_by_others(objects: desired_objects.Objects) -> dict[str, str]:
    """Keys of the objects that bring bdevs, by how those are called."""
    parts = {}
    for one in objects.values():
        if one.kind == 'nvme':
            parts[one.params['name']] = 'nvme:' + one.params['name']
        elif one.kind == 'split':
            for number in range(int(one.params.get('split_count') or 0)):
                parts[f'{one.params["base_bdev"]}p{number}'] = one.key
    return parts


def _by_itself(key: str, bdev: dict[str, Reply], parts: dict[str, str],
               release: str | None) -> desired_objects.Object:
    """A bdev that no call of the configuration makes."""
    specific = bdev.get('driver_specific') or {}
    part_of, stands_on = parts.get(bdev['name']), []
    if 'nvme' in specific:
        stem = bdev['name'].rpartition('n')[0]
        part_of = parts.get(stem)
        stands_on = [] if part_of else [f'nvme:{stem}']
    for member in specific.values():
        if isinstance(member, dict):
            stands_on += _bases(member)
    return desired_objects.Object(
        key, None, {}, kinds.UPPER, part_of, tuple(stands_on),
        release=release)


def _bases(specific: dict[str, Reply]) -> list[str]:
    """Keys of the bdevs that a bdev says to stand on."""
    names = [specific[name] for name in
             ('base_bdev', 'base_bdev_name', 'core_bdev_name')
             if isinstance(specific.get(name), str)]
    names += [base['name'] for base in specific.get('base_bdevs_list') or ()
              if isinstance(base, dict) and base.get('name')]
    return [f'bdev:{name}' for name in names]


def _controllers(reply: list[Reply]) -> dict[str, list[bool]]:
    return {one['name']: [path.get('state') in _ENABLED for path in
                          # Before v21.07 there was one to a name.
                          one.get('ctrlrs') or [one]] for one in reply}


def _raids(reply: list[Reply]) -> dict[str, Raid]:
    """Before v22.09 a RAID is listed by its name alone."""
    return {one['name']: Raid(one.get('state') or '', tuple(
        base['name'] if isinstance(base, dict) else base
        for base in one.get('base_bdevs_list') or ()
        if not isinstance(base, dict) or base.get('is_configured', True)))
        for one in reply if isinstance(one, dict)}


def _no_bdev(reply: list[Reply]) -> dict[str, int]:
    found = {}
    for one in reply:
        block = (one.get('backend_specific') or {}).get('block')
        if isinstance(block, dict) and block.get('bdev') is None:
            found[one['ctrlr']] = len(one.get('sessions') or ())
    return found
