# SPDX-License-Identifier: Apache-2.0

"""What a target has done and does: counters, and rates between two looks.

Of a unit: operations, bytes, latency and queue depth of the bdev behind it,
and how many hosts are connected. Of a target: load of its reactors, memory,
queue pairs, work of the accel framework. Nothing is switched on for it, so
looking costs the target four or five calls.
"""

from collections.abc import Mapping
import dataclasses
import json
import time
from typing import Any

import psutil

from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.units import reading
from cyborg_spdk.units import unit as unit_module

_STORES = 'bdev_lvol_get_lvstores'

#: Calls that every target is asked, where it has them.
_COMMON = ('bdev_get_iostat', 'framework_get_reactors', 'thread_get_stats',
           'accel_get_stats', 'iobuf_get_stats', _STORES)
_BY_KIND: dict[str, tuple[str, ...]] = {
    'nvmf': ('nvmf_get_stats',), 'vhost': ('vhost_get_controllers',),
    'iscsi': ('iscsi_get_connections',)}
_CONTROLLERS = 'nvmf_subsystem_get_controllers'

#: Counters of ``bdev_get_iostat`` that are told.
COUNTERS = ('num_read_ops', 'bytes_read', 'read_latency_ticks',
            'num_write_ops', 'bytes_written', 'write_latency_ticks',
            'num_unmap_ops', 'bytes_unmapped', 'unmap_latency_ticks')
_LATENCIES = tuple(name for name in COUNTERS if name.endswith('_ticks'))

_MICROSECONDS = 1e6


@dataclasses.dataclass(frozen=True)
class Look:
    """One look at a target.

    :ivar contents: its :class:`~cyborg_spdk.units.unit.Contents`.
    :ivar replies: replies by method; a method that the target lacks is
        missing.
    :ivar hosts: how many are connected, by NQN, socket or the part of an
        IQN that :func:`hosts_of` looks for.
    :ivar controllers: the NVMe-oF controllers that hosts have, by NQN.
    :ivar memory: dict: ``resident`` and ``huge`` bytes of the process; empty
        if it is not on this host.
    :ivar when: seconds, on ``time.monotonic()``.
    """

    contents: unit_module.Contents
    replies: dict[str, Any]
    hosts: dict[str, int]
    memory: dict[str, int]
    when: float
    controllers: dict[str, list[dict[str, Any]]] = dataclasses.field(
        default_factory=dict)


def look(client: rpc.Client, kind: str, timeout: float) -> Look:
    """Look at a target. Blocks.

    :param kind: ``"nvmf"``, ``"vhost"`` or ``"iscsi"``.
    :param timeout: seconds for each round of calls.
    :raises SpdkError: if what is needed could not be read.
    """
    contents = reading.read(client, kind, timeout)
    methods = [name for name in _COMMON + _BY_KIND[kind] if client.has(name)]
    replies = dict(zip(methods, client.call_many(
        [rpc.Request(name) for name in methods], timeout=timeout),
        strict=True))
    when = time.monotonic()
    if isinstance(replies.get('bdev_get_iostat'), Exception):
        raise replies['bdev_get_iostat']
    replies = {name: reply for name, reply in replies.items()
               if not isinstance(reply, Exception)}
    connected = _controllers(client, kind, contents, timeout)
    return Look(contents=contents, replies=replies,
                hosts=_hosts(kind, replies, connected),
                memory=_memory(client), when=when,
                controllers=connected)


def _hosts(kind: str, replies: Mapping[str, Any],
           connected: Mapping[str, list[dict[str, Any]]]) -> dict[str, int]:
    if kind == 'vhost':
        return {str(one.get('socket')): len(one['sessions'])
                for one in replies.get('vhost_get_controllers', ())
                if 'sessions' in one}
    if kind == 'iscsi':
        found: dict[str, int] = {}
        for one in replies.get('iscsi_get_connections', ()):
            # The name is without its IQN prefix, and empty in a discovery.
            name = one.get('target_node_name')
            if name:
                found[name] = found.get(name, 0) + 1
        return found
    return {name: len({one.get('hostnqn') for one in some})
            for name, some in connected.items()}


def _controllers(client: rpc.Client, kind: str,
                 contents: unit_module.Contents,
                 timeout: float) -> dict[str, list[dict[str, Any]]]:
    """The controllers of each subsystem, by NQN."""
    if kind != 'nvmf' or not client.has(_CONTROLLERS):
        return {}
    names = list(contents.facts['listeners'])
    answers = client.call_many(
        [rpc.Request(_CONTROLLERS, {'nqn': name}) for name in names],
        timeout=timeout)
    return {name: answer
            for name, answer in zip(names, answers, strict=True)
            if not isinstance(answer, Exception)}


def _memory(client: rpc.Client) -> dict[str, int]:
    try:
        peer = client.peer()
        if peer is None:
            return {}
        found = {'resident': psutil.Process(peer[0]).memory_info().rss}
        with open(f'/proc/{peer[0]}/status') as status:
            for line in status:
                if line.startswith('HugetlbPages:'):
                    found['huge'] = int(line.split()[1]) * 1024
        return found
    except (OSError, psutil.Error, exceptions.SpdkError):
        return {}


def bdev_counters(found: Look) \
        -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """Counters by bdev.

    :returns: pair: dict by name; and dict with ``ticks`` and ``tick_rate``.
    """
    reply = found.replies.get('bdev_get_iostat') or {}
    if isinstance(reply, list):
        # v18.07 to v19.04: an array, the rate first.
        clock: dict[str, Any] = next(
            (one for one in reply if 'tick_rate' in one), {})
        bdevs = [one for one in reply if 'name' in one]
    else:
        clock, bdevs = reply, reply.get('bdevs') or []
    return {one['name']: one for one in bdevs}, {
        'ticks': clock.get('ticks', 0),
        'tick_rate': clock.get('tick_rate', 1) or 1}


def unit_rates(before: Look, after: Look) -> list[dict[str, Any]]:
    """What the units did between two looks.

    :param before: the earlier :class:`Look`.
    :param after: the later one, of the same target.
    :returns: list of dicts, one for each unit of the later look, in its
        order: ``unit`` (title), ``handle``, ``hosts`` (int or None),
        ``read_iops``, ``write_iops``, ``read_bytes``, ``write_bytes`` (per
        second), ``read_latency_us``, ``write_latency_us`` (mean of the
        operations that ended meanwhile; None if none did), ``queue_depth``
        (mean number of operations under way).
    """
    old, _clock = bdev_counters(before)
    new, clock = bdev_counters(after)
    seconds = _seconds(before, after)
    found = []
    for unit in after.contents.units:
        delta = _delta(old.get(unit.bdev or ''), new.get(unit.bdev or ''))
        found.append({'unit': unit.title, 'handle': unit.handle,
                      'hosts': hosts_of(after, unit.handle),
                      **_rates(delta, seconds, clock['tick_rate'])})
    return found


def _seconds(before: Look, after: Look) -> float:
    """Seconds between two looks, by the target's own clock if it tells."""
    old, new = bdev_counters(before)[1], bdev_counters(after)[1]
    if not new['ticks']:
        # Before v20.01 it only tells its rate.
        return after.when - before.when
    return (new['ticks'] - old['ticks']) / new['tick_rate']


def _delta(old: Mapping[str, int] | None,
           new: Mapping[str, int] | None) -> dict[str, int] | None:
    if not new:
        return None
    delta = {name: new.get(name, 0) - (old or {}).get(name, 0)
             for name in COUNTERS}
    if any(value < 0 for value in delta.values()):
        # The target, or the bdev, is another one since.
        delta = {name: new.get(name, 0) for name in COUNTERS}
    return delta


def _rates(delta: Mapping[str, int] | None, seconds: float,
           tick_rate: int) -> dict[str, float | None]:
    if delta is None or seconds <= 0:
        return dict.fromkeys((
            'read_iops', 'write_iops', 'read_bytes', 'write_bytes',
            'read_latency_us', 'write_latency_us', 'queue_depth'))

    def latency(kind: str) -> float | None:
        count = delta[f'num_{kind}_ops']
        return delta[f'{kind}_latency_ticks'] / count / tick_rate \
            * _MICROSECONDS if count else None

    return {
        'read_iops': delta['num_read_ops'] / seconds,
        'write_iops': delta['num_write_ops'] / seconds,
        'read_bytes': delta['bytes_read'] / seconds,
        'write_bytes': delta['bytes_written'] / seconds,
        'read_latency_us': latency('read'),
        'write_latency_us': latency('write'),
        # Little's law: the time that all operations spent, by the time.
        'queue_depth': sum(delta[name] for name in _LATENCIES)
        / tick_rate / seconds}


def hosts_of(found: Look, handle: str) -> int | None:
    """How many hosts are connected to what a handle is part of.

    :param handle: as JSON.
    :returns: None if the target does not tell.
    """
    parts = json.loads(handle)
    if 'iqn' in parts:
        # SPDK tells what follows the first colon (lib/iscsi/iscsi.c,
        # target_short_name), and all connections or none.
        names = [parts['iqn'], parts['iqn'].partition(':')[2]]
        other = 0 if 'iscsi_get_connections' in found.replies else None
    else:
        names, other = [parts.get('nqn') or parts.get('socket') or ''], None
    return next((found.hosts[name] for name in names if name in found.hosts),
                other)


def target_rates(before: Look, after: Look) -> dict[str, Any]:
    """What a target as a whole did between two looks.

    :returns: dict: ``reactors``: list of (core, share of its time that it
        was busy); ``queue_pairs`` (int or None), ``pending`` (I/O that waits
        for memory), ``memory`` (see :class:`Look`), ``accel`` (operations
        per second by name), ``retries`` (of the small and large pools).
    """
    old = reactors(before)
    busy = []
    for core, (work, idle) in reactors(after).items():
        work_before, idle_before = old.get(core, (0, 0))
        work, idle = work - work_before, idle - idle_before
        if work < 0 or idle < 0:
            work, idle = reactors(after)[core]
        busy.append((core, work / (work + idle) if work + idle else 0.0))
    groups = (after.replies.get('nvmf_get_stats') or {}).get('poll_groups')
    seconds = _seconds(before, after)
    return {
        'reactors': busy,
        'queue_pairs': None if groups is None else sum(
            one.get('current_admin_qpairs', 0)
            + one.get('current_io_qpairs', 0) for one in groups),
        'pending': None if groups is None else sum(
            one.get('pending_bdev_io', 0) for one in groups),
        'memory': after.memory,
        'accel': {
            name: max(0, count - _accel(before).get(name, 0)) / seconds
            for name, count in _accel(after).items()} if seconds > 0 else {},
        'retries': sum(
            pool.get('retry', 0)
            for one in after.replies.get('iobuf_get_stats') or ()
            for pool in (one.get('small_pool', {}),
                         one.get('large_pool', {})))}


def reactors(found: Look) -> dict[int, tuple[int, int]]:
    """Ticks that each core was busy and idle, by its number."""
    reply = found.replies.get('framework_get_reactors') or {}
    return {one['lcore']: (one.get('busy', 0), one.get('idle', 0))
            for one in reply.get('reactors') or ()}


def _accel(found: Look) -> dict[str, int]:
    reply = found.replies.get('accel_get_stats') or {}
    return {one['opcode']: one.get('executed', 0)
            for one in reply.get('operations') or () if 'opcode' in one}


def stores(found: Look) -> dict[str, dict[str, int]]:
    """The lvol stores of a target: bytes of data, and what is free of it.

    :returns: dicts of ``size`` and ``free`` by the store's name.
    """
    return {str(one.get('name')): {
        name: one.get(field, 0) * one.get('cluster_size', 0)
        for name, field in (('size', 'total_data_clusters'),
                            ('free', 'free_clusters'))}
        for one in found.replies.get(_STORES) or ()}


def totals(found: Look) -> dict[str, Any]:
    """All that a target has counted since it started, for ``get_stats()``.

    :returns: dict, fit for JSON, in the shape device, deployables,
        accelerators: ``memory``, ``reactors``, ``queue_pairs``, ``stores``
        (bytes that each lvol store has, and that are free); and
        ``accelerators``: by attach handle, dicts of counters, ``hosts`` and
        ``size``.
    """
    counters, clock = bdev_counters(found)
    whole = target_rates(found, found)
    return {
        'tick_rate': clock['tick_rate'], 'memory': found.memory,
        'reactors': {str(core): {'busy': busy, 'idle': idle}
                     for core, (busy, idle) in reactors(found).items()},
        'queue_pairs': whole['queue_pairs'], 'stores': stores(found),
        'accelerators': {
            unit.handle: {
                'hosts': hosts_of(found, unit.handle), 'size': unit.size,
                **{name: counters.get(unit.bdev or '', {}).get(name, 0)
                   for name in COUNTERS}}
            for unit in found.contents.units}}
