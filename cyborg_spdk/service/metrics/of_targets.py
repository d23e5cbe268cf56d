# SPDX-License-Identifier: Apache-2.0

"""The metrics of the targets as a whole."""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from collections import Counter
from typing import Any

from prometheus_client import core

from cyborg_spdk.service import duty as duties
from cyborg_spdk.service.metrics import cache
from cyborg_spdk.service.metrics import lines
from cyborg_spdk.service.metrics import reading as metrics_reading
from cyborg_spdk.service import supervise
from cyborg_spdk.units import stats

_PREFIX = 'cyborg_spdk'
_DOWN = (supervise.HANGS, supervise.ENDED, supervise.STARTING)

Samples = Iterable[tuple[Sequence[str], float]]


def gauge(name: str, meaning: str, names: Sequence[str],
          samples: Samples) -> core.Metric:
    """A gauge.

    :param name: after the prefix of this project.
    :param meaning: one line.
    :param names: of its labels.
    :param samples: pairs of the labels' values, and the number.
    """
    family = core.GaugeMetricFamily(f'{_PREFIX}_{name}', meaning,
                                    labels=names)
    return _filled(family, samples)


def counter(name: str, meaning: str, names: Sequence[str],
            samples: Samples) -> core.Metric:
    """A counter; see :func:`gauge`."""
    family = core.CounterMetricFamily(f'{_PREFIX}_{name}', meaning,
                                      labels=names)
    return _filled(family, samples)


def _filled(family: Any, samples: Samples) -> core.Metric:
    for values, number in samples:
        family.add_metric([lines.clean(str(one)) for one in values], number)
    return family


def families(readings: Sequence[cache.Cached],
             states: Mapping[str, duties.State]) -> Iterator[core.Metric]:
    """What is known of the targets.

    :param readings: their last readings.
    :param states: of the service's duties, by name.
    """
    facts = {found.target.name: states[name].outcome.facts
             for found in readings
             if (name := f'supervise {found.target.name}') in states}
    yield gauge('target_up', 'Whether a target answers.', ['target', 'kind'],
                [((found.target.name, found.target.kind),
                  float(is_up(found, facts.get(found.target.name, {}))))
                 for found in readings])
    yield from _supervised(facts)
    yield from _read(readings)
    answers = [(found.target.name, found.reading) for found in readings
               if found.reading is not None]
    yield from _process(answers)
    yield from _objects(answers)
    yield from _nvmf(answers)


def is_up(found: cache.Cached, facts: Mapping[str, Any]) -> bool:
    """Whether a target answers, as far as is known.

    :param found: its last reading.
    :param facts: what who supervises it has found.
    """
    return found.reading is not None and facts.get('state') not in _DOWN


def _supervised(facts: Mapping[str, Mapping[str, Any]]
                ) -> Iterator[core.Metric]:
    yield gauge(
        'target_state', '1 for the state that the duty supervise sees: '
        'answers, starting, busy, slow, hangs or ended.',
        ['target', 'state'],
        [((name, found['state']), 1) for name, found in facts.items()
         if 'state' in found])
    yield counter(
        'target_restarts', 'How often the service has started a target '
        'again.', ['target'],
        [((name,), found.get('restarts', 0))
         for name, found in facts.items()])
    yield gauge(
        'target_answer_seconds', 'How long a target took for its last '
        'answer to the duty supervise.', ['target'],
        [((name,), found['answer_ms'] / 1000)
         for name, found in facts.items() if 'answer_ms' in found])


def _read(readings: Sequence[cache.Cached]) -> Iterator[core.Metric]:
    yield gauge(
        'target_reading_age_seconds', 'How old the numbers of a target are.',
        ['target'], [((found.target.name,), found.age)
                     for found in readings if found.age is not None])
    yield gauge(
        'target_reading_seconds', 'How long a target was read for its '
        'numbers.', ['target'],
        [((found.target.name,), found.reading.seconds)
         for found in readings if found.reading is not None])


Answers = Sequence[tuple[str, metrics_reading.Reading]]


def _process(answers: Answers) -> Iterator[core.Metric]:
    version = core.InfoMetricFamily(
        f'{_PREFIX}_target', 'What a target says of itself.',
        labels=['target'])
    for name, found in answers:
        version.add_metric([name], {'version': lines.clean(
            found.look.contents.facts['version'])})
    yield version
    cores = [(name, str(number), busy, idle, _tick_rate(found))
             for name, found in answers
             for number, (busy, idle) in stats.reactors(found.look).items()]
    yield counter(
        'reactor_busy_seconds', 'Time in which a core of a target had '
        'something to do.', ['target', 'core'],
        [((name, number), busy / rate)
         for name, number, busy, _idle, rate in cores])
    yield counter(
        'reactor_idle_seconds', 'Time in which it had nothing to do.',
        ['target', 'core'],
        [((name, number), idle / rate)
         for name, number, _busy, idle, rate in cores])
    yield gauge(
        'target_memory_bytes', 'Memory of a target: resident, and in huge '
        'pages.', ['target', 'type'],
        [((name, kind), size) for name, found in answers
         for kind, size in found.look.memory.items()])
    yield counter(
        'iobuf_retries', 'How often a module of a target found no free '
        'buffer.', ['target', 'module', 'pool'],
        [((name, module.get('module', ''), pool), module[f'{pool}_pool'].get(
            'retry', 0))
         for name, found in answers
         for module in found.look.replies.get('iobuf_get_stats') or ()
         for pool in ('small', 'large') if f'{pool}_pool' in module])


def _tick_rate(found: metrics_reading.Reading) -> int:
    return stats.bdev_counters(found.look)[1]['tick_rate']


def _objects(answers: Answers) -> Iterator[core.Metric]:
    yield gauge(
        'missing_objects', 'Objects that a target is to have and has not: '
        '"cyborg-spdk target diff" shows them.', ['target', 'kind'],
        [((name, kind), count) for name, found in answers
         for kind, count in Counter(
             one.kind for one in found.missing).items()])
    yield gauge(
        'units', 'Units that a target has.', ['target'],
        [((name,), len(found.look.contents.units))
         for name, found in answers])
    yield gauge(
        'nvme_path_enabled', 'Whether a path of an NVMe controller behind a '
        'target serves.', ['target', 'controller', 'path'],
        [((name, one.get('name', ''), _place(path.get('trid') or {})),
          float(path.get('state', 'enabled') == 'enabled'))
         for name, found in answers for one in found.nvme
         for path in one.get('ctrlrs') or ()])


def _place(trid: Mapping[str, Any]) -> str:
    return ' '.join(str(trid[name]) for name in (
        'trtype', 'traddr', 'trsvcid') if trid.get(name))


def _nvmf(answers: Answers) -> Iterator[core.Metric]:
    groups = [(name, group) for name, found in answers for group in (
        found.look.replies.get('nvmf_get_stats') or {}).get(
            'poll_groups') or ()]
    yield gauge(
        'transport_queue_depth', 'What a transport of a target lets a queue '
        'pair have.', ['target', 'transport'],
        [((name, one.get('trtype', '')), one.get('max_queue_depth', 0))
         for name, found in answers for one in found.transports])
    yield gauge(
        'queue_pairs', 'Queue pairs that are connected, by core.',
        ['target', 'group', 'type'],
        [((name, group.get('name', ''), kind),
          group.get(f'current_{kind}_qpairs', 0))
         for name, group in groups for kind in ('admin', 'io')])
    yield gauge(
        'pending_io', 'Commands that wait for memory of the bdev layer.',
        ['target', 'group'],
        [((name, group.get('name', '')), group.get('pending_bdev_io', 0))
         for name, group in groups])
    yield gauge(
        'subsystem_controllers', 'NVMe-oF controllers that hosts have of a '
        'subsystem.', ['target', 'nqn'],
        [((name, nqn), len(some)) for name, found in answers
         for nqn, some in found.look.controllers.items()])
    yield gauge(
        'subsystem_hosts', 'Hosts that are connected to a subsystem.',
        ['target', 'nqn'],
        [((name, nqn), found.look.hosts[nqn]) for name, found in answers
         for nqn in found.look.controllers])
