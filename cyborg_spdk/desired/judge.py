# SPDX-License-Identifier: Apache-2.0

"""Deleted, or lost? Pure decisions.

An object that was there at the last look and is away now was deleted on
purpose, and leaves the desired state; or it was lost, and stays in it. What
SPDK does when a part goes was found by experiments on v26.05; a doubt is
decided for "lost", which can be taken back (``target forget``).
"""

import dataclasses
import os

from cyborg_spdk.desired import objects as desired_objects
from cyborg_spdk.desired import observe
from cyborg_spdk.desired import probes

#: Lie in files or on devices.
_ON_FILE = frozenset({'bdev_aio_create', 'bdev_uring_create',
                      'bdev_xnvme_create'})


#: This release gives a controller up when it has failed to connect to it
#: again once, whatever its timeout is: bdev_nvme_failover() notes no time.
_GIVES_UP_AT_ONCE = 'v22.01'


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a look and the one before say.

    :ivar now: :class:`~cyborg_spdk.desired.observe.Observation`.
    :ivar same_process: whether both were at one process.
    :ivar healthy: by controller: for how many seconds at most it may have
        been unhealthy, or None if it was not seen to serve.
    :ivar expected: names that the caller has just deleted.
    :ivar loss_timeout: the default of ``ctrlr_loss_timeout_sec``.
    :ivar devices: by PCI address: which device was there
        (:func:`cyborg_spdk.desired.probes.device`).
    """

    now: observe.Observation
    same_process: bool
    healthy: dict[str, float]
    expected: frozenset[str] = frozenset()
    loss_timeout: int = 0
    devices: dict[str, int] = dataclasses.field(default_factory=dict)


class Judge:
    """Decides about all objects that are away.

    :param objects: the desired ones.
    :param facts: :class:`Facts`.
    """

    def __init__(self, objects: desired_objects.Objects, facts: Facts):
        self._objects = objects
        self._facts = facts
        self._decided: dict[str, str | None] = {}
        self._names = {f'bdev:{alias}': key for key, one in objects.items()
                       for alias in one.aliases}
        # An NVMe controller is there as long as one of its paths is.
        self._paths: dict[str, list[str]] = {}
        for key in objects:
            self._paths.setdefault(key.partition('@')[0], []).append(key)
        self._there = {key.partition('@')[0] for key in facts.now.objects}

    def reason(self, key: str) -> str | None:
        """Why an object that is away is missing; None: it was deleted."""
        if key not in self._decided:
            self._decided[key] = 'it depends on itself'
            self._decided[key] = self._decide(self._objects[key])
        return self._decided[key]

    def _decide(self, one: desired_objects.Object) -> str | None:
        facts = self._facts
        if one.deleted_since is not None:
            return None
        if any(is_called(one, name) for name in facts.expected):
            return None
        if not facts.same_process:
            return one.why or 'the target was started without it'
        if one.part_of is not None and not self._is_there(one.part_of):
            parents = self._find(one.part_of)
            if parents and all(self.reason(key) is None for key in parents):
                return None
            return f'{said(one.part_of)} is missing'
        if one.missing_since is not None:
            return one.why or 'it was lost'
        return self._lost_below(one) or self._lost_itself(one)

    def _lost_below(self, one: desired_objects.Object) -> str | None:
        for below in one.stands_on:
            if below.startswith('file:'):
                continue
            if not self._is_there(below):
                return f'{said(below)} is missing'
            if below.startswith('bdev:') and self._went(below):
                return f'{said(below)} was away'
        return None

    def _went(self, key: str) -> bool:
        """Whether a bdev may have gone since the last look."""
        now = self._facts.now
        if now.overran:
            return True
        there = now.find(key)
        return there is not None and there.name in now.unregistered

    def _lost_itself(self, one: desired_objects.Object) -> str | None:
        if one.kind == 'lun':
            return 'its bdev was away'
        if one.kind == 'vhost' and one.name in self._facts.now.no_bdev:
            return 'its bdev was away'
        if one.kind == 'bdev' and one.name in self._facts.now.raids:
            state = self._facts.now.raids[one.name].state
            return f'the RAID is {state}' if state != 'online' else None
        if one.kind == 'nvme':
            return self._lost_controller(one)
        if one.kind == 'virtio':
            return 'its device is gone'
        if one.kind == 'bdev' and one.method is None:
            return self._lost_by_itself(one)
        if one.method in _ON_FILE:
            path = str(one.params.get('filename'))
            return None if os.path.exists(path) else f'{path} is not there'
        return None

    def _lost_by_itself(self, one: desired_objects.Object) -> str | None:
        """A bdev that no call made: lvol, namespace of a controller."""
        if one.part_of and one.part_of.startswith('nvme:'):
            return f'{said(one.part_of)} has it no more'
        return None

    def _lost_controller(self, one: desired_objects.Object) -> str | None:
        params = one.params
        if str(params.get('trtype')).upper() == 'PCIE':
            return self._lost_device(str(params.get('traddr')))
        limit = params.get('ctrlr_loss_timeout_sec',
                           self._facts.loss_timeout)
        if limit in (0, -1):
            return None  # SPDK never drops such a one.
        since = self._facts.healthy.get(params['name'])
        if since is not None and since < limit \
                and not str(self._facts.now.release).startswith(
                    _GIVES_UP_AT_ONCE):
            return None
        return f'it could not be reached for {limit} s'

    def _lost_device(self, address: str) -> str | None:
        there = probes.device(address)
        if there is None:
            return 'the device is not there'
        if self._facts.devices.get(address, there) != there:
            return 'the device was pulled out and plugged in again'
        return None

    def _is_there(self, key: str) -> bool:
        if self._facts.now.has(key):
            return True
        if key.startswith('nvme:') and key in self._there:
            return True
        return self._names.get(key) in self._facts.now.objects

    def _find(self, key: str) -> list[str]:
        """Keys of the desired objects that a dependence means."""
        if key in self._objects:
            return [key]
        if key in self._names:
            return [self._names[key]]
        return self._paths.get(key, [])


def is_called(one: desired_objects.Object, name: str) -> bool:
    """Whether an object is called so, alone or behind a prefix.

    :param name: ``iqn.2016-06.io.spdk:disk1`` is meant by ``disk1``,
        ``lvs/lvol`` by ``lvol``.
    """
    return any(own == name or own.endswith((':' + name, '/' + name))
               for own in (one.key, one.name, *one.aliases))


def is_about(one: desired_objects.Object, name: str) -> bool:
    """Whether an object is called so, or stands on what is."""
    return is_called(one, name) or name in _values(one.params)


def _values(params: object) -> list[str]:
    if isinstance(params, str):
        return [params]
    if isinstance(params, dict):
        params = list(params.values())
    if isinstance(params, list):
        return [value for one in params for value in _values(one)]
    return []


def said(key: str) -> str:
    """A key as a person reads it: ``bdev Malloc0``."""
    kind, _, name = key.partition(':')
    return f'{kind.replace("-", " ")} {name}'
