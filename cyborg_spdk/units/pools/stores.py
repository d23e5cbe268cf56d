# SPDX-License-Identifier: Apache-2.0

"""Which stores were made here, with zeroes, and what volumes they have.

The free space of a store is as dirty as what last lay there. It is clean if
the store was made with zeroes and each volume was wiped before it went; a
volume that went otherwise, or came from elsewhere, ends that.

A volume is made under a name that nobody else has, which is noted before;
its UUID is noted before it gets the name of its unit. So whoever finds it
after a crash knows that it was made here, and that it is new.
"""

from collections.abc import Mapping
import dataclasses
import json
import os

from oslo_config import cfg

from cyborg_spdk import exceptions
from cyborg_spdk.host import trusted_files

_VERSION = 1
_WHAT = '[spdk] state_path'


@dataclasses.dataclass(frozen=True)
class Birth:
    """A volume that is being made, until its unit has its first note.

    :ivar temporary: its name until its UUID is noted; empty where the
        release cannot rename it.
    :ivar uuid: its UUID; empty before that is known.
    :ivar clean: whether it is made of space that has nobody's data.
    """

    temporary: str
    uuid: str = ''
    clean: bool = False


@dataclasses.dataclass(frozen=True)
class Store:
    """A store that was made here.

    :ivar uuid: its UUID.
    :ivar volumes: names of the volumes that are to be in it.
    :ivar going: of those, the ones that are being deleted and were wiped, or
        need not be: target and handle of the unit that each was, by name.
    :ivar coming: of those, the ones that are new, by name.
    """

    uuid: str
    volumes: frozenset[str] = frozenset()
    going: Mapping[str, tuple[str, str]] = dataclasses.field(
        default_factory=dict, hash=False)
    coming: Mapping[str, Birth] = dataclasses.field(
        default_factory=dict, hash=False)

    def without(self, name: str) -> 'Store':
        """The same, where a volume is new no more, or gone.

        :param name: that of its unit, or the one that it had before.
        """
        return dataclasses.replace(self, coming={
            one: birth for one, birth in self.coming.items()
            if name not in (one, birth.temporary)})


def _path(conf: cfg.ConfigOpts, pool: str) -> str:
    return os.path.join(conf.spdk.state_path, f'pool-{pool}.json')


def load(conf: cfg.ConfigOpts, pool: str) -> Store | None:
    """What was noted of the store of a pool; None if nothing.

    :param conf: the configuration.
    :param pool: name of the pool.
    """
    try:
        value = trusted_files.read_json(_path(conf, pool), limit=16 << 20)
        if value is None:
            return None
        if value['version'] != _VERSION:
            return None
        return Store(str(value['uuid']), frozenset(value['volumes']), {
            str(name): (str(target), str(handle)) for name, (target, handle)
            in value.get('going', {}).items()}, {
            str(name): Birth(str(temporary), str(uuid), bool(clean))
            for name, (temporary, uuid, clean)
            in value.get('coming', {}).items()})
    except (exceptions.StateError, ValueError, TypeError, KeyError,
            AttributeError):
        return None


def save(conf: cfg.ConfigOpts, pool: str, store: Store) -> None:
    """Note a store, before its volumes change.

    :param conf: the configuration.
    :param pool: name of the pool.
    :param store: the store.
    :raises StateError: if it cannot be written.
    """
    trusted_files.ensure_directory(conf.spdk.state_path, what=_WHAT)
    trusted_files.write_atomically(_path(conf, pool), json.dumps(
        {'version': _VERSION, 'uuid': store.uuid,
         'volumes': sorted(store.volumes),
         'going': dict(store.going),
         'coming': {name: dataclasses.astuple(birth) for name, birth
                    in store.coming.items()}}).encode())


def clean(noted: Store | None, uuid: str | None,
          volumes: frozenset[str]) -> bool:
    """Whether the free space of a store has nobody's data.

    :param noted: what was noted of it.
    :param uuid: UUID of the store that is there.
    :param volumes: names of the volumes that are there.
    """
    if noted is None or noted.uuid != uuid:
        return False
    births = {birth.temporary: name for name, birth in noted.coming.items()}
    never = {name for name, birth in noted.coming.items()
             if not birth.uuid and birth.temporary not in volumes}
    return {births.get(one, one) for one in volumes} == noted.volumes - never
