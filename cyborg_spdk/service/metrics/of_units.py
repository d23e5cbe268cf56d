# SPDX-License-Identifier: Apache-2.0

"""The metrics of the units."""

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from cyborg_spdk.service.metrics import cache
from cyborg_spdk.service.metrics import lines
from cyborg_spdk.service.metrics import reading as metrics_reading
from cyborg_spdk.units import stats
from cyborg_spdk.units import unit as unit_module
from cyborg_spdk.units.wipe import state as wipe_state

#: State of a unit that was reported, and that its target has no more.
MISSING = 'missing'

_KINDS = ('read', 'write', 'unmap')
_BYTES = {'read': 'bytes_read', 'write': 'bytes_written',
          'unmap': 'bytes_unmapped'}
_OPS = {kind: f'op="{kind}"' for kind in _KINDS}


class Families:
    """All families that have a sample for each unit."""

    def __init__(self) -> None:
        def family(name: str, kind: str, meaning: str) -> lines.Family:
            return lines.Family(f'cyborg_spdk_unit{name}', kind, meaning)

        self.info = family(
            '', 'info', 'What a unit is: its attach handle, and the bdev '
            'behind it.')
        self.state = family(
            '_state', 'gauge', '1 for the state that a unit is in: clean, '
            'dirty, cleaning, in use or missing.')
        self.size = family('_size_bytes', 'gauge', 'Size of a unit.')
        self.operations = family(
            '_operations', 'counter',
            'Operations of the bdev behind a unit since its target started.')
        self.bytes = family(
            '_bytes', 'counter',
            'Bytes of these operations.')
        self.latency = family(
            '_latency_seconds', 'counter',
            'Time that these operations took, all together.')
        self.hosts = family(
            '_hosts', 'gauge', 'Hosts that are connected to what a unit is '
            'part of.')
        self.limit = family(
            '_qos_limit', 'gauge', 'QoS limits, as bdev_set_qos_limit names '
            'them; none that is not set.')
        self.wipe = family(
            '_wipe_ratio', 'gauge', 'Share of the bytes of a step that a '
            'wipe has done.')
        self.histogram = family(
            '_io_latency_seconds', 'histogram', 'Operations by their '
            'latency, with [spdk_service] latency_histograms.')

    def add(self, found: cache.Cached) -> None:
        """Add the units of one target, if it answers."""
        if found.reading is None:
            return
        look = found.reading.look
        counters, clock = stats.bdev_counters(look)
        for one in look.contents.units:
            of = lines.labels(target=found.target.name, unit=one.title)
            self._facts(of, one, found.reading)
            if one.bdev in counters:
                self._counters(of, counters[one.bdev], clock['tick_rate'])
            if one.bdev in found.reading.histograms:
                self._histogram(of, found.reading.histograms[one.bdev])
        there = {one.handle for one in look.contents.units}
        for handle in sorted(found.reading.gone - there):
            self.state.add(
                lines.labels(target=found.target.name, unit=handle), 1,
                f'state="{MISSING}"')

    def text(self) -> str:
        """All of it as OpenMetrics."""
        return lines.text((
            self.info, self.state, self.size, self.operations, self.bytes,
            self.latency, self.hosts, self.limit, self.wipe,
            self.histogram))

    def _facts(self, of: str, one: unit_module.Unit,
               reading: metrics_reading.Reading) -> None:
        self.info.add(of, 1, lines.labels(handle=one.handle,
                                          bdev=one.bdev or ''))
        state = reading.states.get(one.handle)
        self.state.add(of, 1, f'state="{word(one, state)}"')
        self.size.add(of, one.size)
        hosts = stats.hosts_of(reading.look, one.handle)
        if hosts is not None:
            self.hosts.add(of, hosts)
        for name, value in one.limits:
            self.limit.add(of, value, lines.labels(limit=name))
        if state is not None and state.cleaning is not None:
            going = state.cleaning
            self.wipe.add(of, going.done / going.total if going.total else 0,
                          lines.labels(step=going.step))

    def _counters(self, of: str, counted: Mapping[str, Any],
                  tick_rate: int) -> None:
        for kind in _KINDS:
            op = _OPS[kind]
            self.operations.add(of, counted.get(f'num_{kind}_ops', 0), op)
            self.bytes.add(of, counted.get(_BYTES[kind], 0), op)
            self.latency.add(
                of, counted.get(f'{kind}_latency_ticks', 0) / tick_rate, op)

    def _histogram(self, of: str, counts: list[int]) -> None:
        borders = [f'{border / 1e6}' for border in metrics_reading.BORDERS]
        for border, count in zip([*borders, '+Inf'], counts, strict=False):
            self.histogram.add(of, count, f'le="{border}"', '_bucket')


def word(one: unit_module.Unit, state: wipe_state.State | None) -> str:
    """The state of a unit: clean, dirty, cleaning, in use or missing.

    :param one: the unit.
    :param state: whose data is on it; None if nobody knows.
    """
    if one.bdev is None:
        return MISSING
    return state.word if state else 'dirty'


def text(readings: Iterable[cache.Cached]) -> str:
    """The metrics of the units of all targets."""
    families = Families()
    for found in readings:
        families.add(found)
    return families.text()
