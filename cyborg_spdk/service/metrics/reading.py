# SPDX-License-Identifier: Apache-2.0

"""One reading of a target for its metrics, and of what is kept of it."""

import dataclasses
import time
from typing import Any

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import objects as desired_objects
from cyborg_spdk.desired import starting
from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.service import options
from cyborg_spdk.units import reported
from cyborg_spdk.units import stats
from cyborg_spdk.units.wipe import marks_cache
from cyborg_spdk.units.wipe import state as wipe_state

#: Borders of the latencies that are counted, in microseconds.
BORDERS = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000,
           100000, 1000000)

_TRANSPORTS = 'nvmf_get_transports'
_NVME = 'bdev_nvme_get_controllers'
_HISTOGRAM = 'bdev_get_histogram_borders'


@dataclasses.dataclass(frozen=True)
class Reading:
    """What a target said, and what this host knows of its units.

    :ivar look: its :class:`~cyborg_spdk.units.stats.Look`.
    :ivar transports: reply of ``nvmf_get_transports``.
    :ivar nvme: reply of ``bdev_nvme_get_controllers``.
    :ivar histograms: by bdev, how many operations took less than each of
        :data:`BORDERS`, and how many there were in all.
    :ivar states: whose data is on each unit, by handle.
    :ivar gone: handles of units that were reported to Cyborg, and that the
        target has not, or has without a disk.
    :ivar missing: the objects that it was seen to lack last.
    :ivar seconds: how long the reading took.
    """

    look: stats.Look
    transports: list[dict[str, Any]]
    nvme: list[dict[str, Any]]
    histograms: dict[str, list[int]]
    states: dict[str, wipe_state.State]
    gone: frozenset[str]
    missing: tuple[desired_objects.Object, ...]
    seconds: float


class Reader:
    """Reads one target again and again, over a connection of its own.

    :param conf: the configuration.
    :param target: the target.
    :param known: the marks of all units.
    """

    def __init__(self, conf: cfg.ConfigOpts, target: spdk_conf.Target,
                 known: marks_cache.MarksCache) -> None:
        self._conf = conf
        self._target = target
        self._marks = known
        self._client: rpc.Client | None = None

    def read(self) -> Reading:
        """Read the target. Blocks, for ``[spdk] rpc_timeout`` a round.

        :raises SpdkError: if it does not answer, or what is kept of it
            cannot be read.
        """
        began = time.monotonic()
        if self._client is None:
            self._client = rpc.connect(
                self._target.rpc_address, shared=False,
                timeout=self._conf.spdk.connect_timeout)
        try:
            look = stats.look(self._client, self._target.kind,
                              self._conf.spdk.rpc_timeout)
            transports, nvme = self._lists(self._client)
            histograms = self._histograms(self._client, look)
        except exceptions.SpdkError:
            self.close()
            raise
        units = look.contents.units
        return Reading(
            look, transports, nvme, histograms,
            wipe_state.of_all(self._conf, self._target.name, units,
                              self._marks.load_all()),
            self._gone(look),
            tuple(starting.missing(self._conf, self._target)),
            time.monotonic() - began)

    def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _lists(self, client: rpc.Client) -> list[list[dict[str, Any]]]:
        methods = [name for name in (_TRANSPORTS, _NVME) if client.has(name)]
        replies = dict(zip(methods, client.call_many(
            [rpc.Request(name) for name in methods],
            timeout=self._conf.spdk.rpc_timeout), strict=True))
        return [reply if isinstance(reply := replies.get(name), list) else []
                for name in (_TRANSPORTS, _NVME)]

    def _histograms(self, client: rpc.Client,
                    look: stats.Look) -> dict[str, list[int]]:
        """Latencies of the units' bdevs, where that is wanted and told.

        A bdev that does not count them yet is told to.
        """
        if not self._conf[options.GROUP].latency_histograms or \
                not client.has(_HISTOGRAM):
            return {}
        names = sorted({unit.bdev for unit in look.contents.units
                        if unit.bdev})
        timeout = self._conf.spdk.rpc_timeout
        replies = dict(zip(names, client.call_many(
            [rpc.Request(_HISTOGRAM, {'name': name, 'borders': list(BORDERS)})
             for name in names], timeout=timeout), strict=True))
        silent = [name for name, reply in replies.items()
                  if isinstance(reply, exceptions.RpcError)]
        client.call_many(
            [rpc.Request('bdev_enable_histogram',
                         {'name': name, 'enable': True})
             for name in silent], timeout=timeout)
        return {name: reply['borders_count']
                for name, reply in replies.items()
                if not isinstance(reply, Exception)}

    def _gone(self, look: stats.Look) -> frozenset[str]:
        there = {unit.handle for unit in look.contents.units if unit.bdev}
        return frozenset(
            one.handle for one in reported.of_target(
                self._conf, self._target.name)) - there
