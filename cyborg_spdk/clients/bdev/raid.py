# SPDX-License-Identifier: Apache-2.0

"""RAID bdevs."""

from cyborg_spdk.clients import base
from cyborg_spdk.clients import types
from cyborg_spdk.clients import validate
from cyborg_spdk import exceptions

#: bdev_raid.c, g_raid_level_names, without the short forms. raid5f only
#: in builds that have it; raid1 since v23.01.
LEVELS = ('raid0', 'raid1', 'raid5f', 'concat')
#: raid1.c, raid5f.c: base_bdevs_min.
MEMBERS_LEAST = {'raid1': 2, 'raid5f': 3}
#: bdev_raid.c, g_raid_state_names.
CATEGORIES = ('all', 'online', 'configuring', 'offline')


class BdevRaid:
    """Mixed into :class:`~cyborg_spdk.clients.bdev.client.BdevClient`."""

    def bdev_raid_get_bdevs(self, category='all'):
        """The RAID bdevs.

        :param category: one of :data:`CATEGORIES`.
        :returns: list of :class:`~cyborg_spdk.clients.types.Raid`. Of one
            that is not online SPDK v22.01 and before tell only the name.
        """
        category = validate.choice('category', category, CATEGORIES)
        found = self._call('bdev_raid_get_bdevs', category=category) or []
        if all(isinstance(one, dict) for one in found):
            return types.Raid.parse_list(found)
        known = {one.name: one.own for one in self.bdev_get_bdevs()}
        return [types.Raid.parse(dict(known.get(name, {}), name=name))
                for name in found]

    def _find_raid(self, name):
        return next((one for one in self.bdev_raid_get_bdevs()
                     if one.name == name), None)

    def bdev_raid_create(self, name, raid_level, base_bdevs, *,
                         strip_size_kb=None, exist_ok=False, **options):
        """Create a RAID bdev.

        :param name: its name.
        :param raid_level: one of :data:`LEVELS`.
        :param base_bdevs: names of its members; they are claimed.
        :param strip_size_kb: KiB, a power of two; not for raid1.
        :param exist_ok: do not mind if it exists with these properties.
        :param options: others that the release has: uuid, superblock.
        :returns: its name.
        :raises AlreadyExists: the name is taken.
        :raises NotFound: a member does not exist. SPDK itself would wait
            for it to appear.
        :raises PermissionDenied: a member is claimed.
        """
        validate.text('RAID bdev', name)
        level = validate.choice('raid_level', raid_level, LEVELS)
        base_bdevs = [validate.text('bdev', one) for one in base_bdevs]
        if not base_bdevs:
            validate.refuse('base_bdevs', base_bdevs, 'give one at least')
        twice = [one for one in base_bdevs if base_bdevs.count(one) > 1]
        if twice:
            validate.refuse('base_bdevs', twice[0], 'it is there twice')
        if level == 'raid1':
            if strip_size_kb:
                validate.refuse('strip_size_kb', strip_size_kb,
                                'raid1 has no strips; leave it out')
        elif strip_size_kb is None:
            validate.refuse('strip_size_kb', None, f'{level} needs one')
        else:
            validate.power_of_two('strip_size_kb', strip_size_kb, 1)
        least = MEMBERS_LEAST.get(level, 1)
        if len(base_bdevs) < least:
            validate.refuse('base_bdevs', base_bdevs,
                            f'{level} has {least} members at least')
        if self._find_raid(name) is None:
            have = self.bdev_get_bdevs()
            for one in base_bdevs:
                if not any(bdev.known_as(one) for bdev in have):
                    raise base.missing(
                        'bdev_raid_create',
                        {'name': name}, f'base bdev {one!r} does not exist; '
                        'not sent, since SPDK would wait for it')

        def cause(exc):
            for one in base_bdevs:
                claimed = self._claimed(one)
                if claimed:
                    return claimed
            return type(exc), f'RAID bdev {name!r}: {level} is not in this ' \
                'target, or its members do not suit'

        self._create(
            'bdev_raid_create', f'RAID bdev {name!r}',
            lambda: self._find_raid(name),
            {'level': (level, lambda one: one.raid_level or level),
             'members': (sorted(base_bdevs),
                         lambda one: sorted(one.members or base_bdevs)),
             'strip size in KiB': (strip_size_kb,
                                   lambda one: one.strip_size_kb)},
            exist_ok, cause, name=name, base_bdevs=base_bdevs,
            **self._raid_params(name, level, strip_size_kb), **options)
        return name

    def _raid_params(self, name, level, strip_size_kb):
        """Level and strip size in the form of the release."""
        version = self.rpc.version
        if version is None or version >= (20, 1):
            return {'raid_level': level, 'strip_size_kb': strip_size_kb}
        # bdev_raid_rpc.c until v19.10: a number, and raid0 alone.
        if level != 'raid0':
            raise exceptions.InvalidParams(
                -32602, 'Invalid parameters', 'bdev_raid_create',
                {'name': name}, f'SPDK has {level} since v20.01 at the '
                f'earliest, the target is {version}; it was not sent')
        key = 'strip_size_kb' if version >= (19, 4) else 'strip_size'
        return {'raid_level': 0, key: strip_size_kb}

    def bdev_raid_delete(self, name, *, missing_ok=False):
        """Delete a RAID bdev; its members are free then.

        :param name: its name.
        :param missing_ok: do not mind if there is none.
        :returns: True; False if it was not there.
        :raises NotFound: it was not there and ``missing_ok`` is not set.
        """
        validate.text('RAID bdev', name)
        return self._delete(
            'bdev_raid_delete', f'RAID bdev {name!r}',
            lambda: self._find_raid(name) is None, missing_ok, name=name)

    def bdev_raid_add_base_bdev(self, raid_bdev, base_bdev):
        """Add a member to a RAID bdev that lacks one (v23.09).

        :param raid_bdev: its name.
        :param base_bdev: the new member.
        :returns: True.
        :raises NotFound: the RAID bdev or the member does not exist.
        :raises InvalidParams: the member stands on the RAID bdev: v26.05
            takes it, and does not end any more.
        """
        validate.text('RAID bdev', raid_bdev)
        validate.text('bdev', base_bdev)
        method = 'bdev_raid_add_base_bdev'
        if self.rpc.has(method):
            bdevs = self.bdev_get_bdevs()
            member = next((one for one in bdevs
                           if one.known_as(base_bdev)), None)
            if member is not None and any(
                    one.known_as(raid_bdev)
                    for one in (member, *member.below(bdevs))):
                raise exceptions.InvalidParams(
                    -32602, 'Invalid parameters', method,
                    {'raid_bdev': raid_bdev}, f'bdev {base_bdev!r} stands on '
                    f'RAID bdev {raid_bdev!r} itself; it was not sent')

        def cause(exc):
            if self._find_raid(raid_bdev) is None:
                return exceptions.NotFound, \
                    f'RAID bdev {raid_bdev!r} does not exist'
            return self._claimed(base_bdev) or (
                type(exc), f'RAID bdev {raid_bdev!r} lacks no member, or '
                f'{base_bdev!r} does not suit')

        return self._call(method, raid_bdev=raid_bdev, base_bdev=base_bdev,
                          _about=f'RAID bdev {raid_bdev!r}', _cause=cause)

    def bdev_raid_remove_base_bdev(self, name):
        """Take a member from its RAID bdev (v23.01).

        :param name: name of the member.
        :returns: True.
        :raises NotFound: it is no member of a RAID bdev.
        """
        validate.text('bdev', name)

        def cause(_exc):
            if not any(name in one.members
                       for one in self.bdev_raid_get_bdevs()):
                return exceptions.NotFound, \
                    f'bdev {name!r} is no member of a RAID bdev'
            return None

        return self._call('bdev_raid_remove_base_bdev', name=name,
                          _about=f'RAID member {name!r}', _cause=cause)
