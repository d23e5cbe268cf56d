# SPDX-License-Identifier: Apache-2.0

"""The metrics of the service itself, and of the drivers' last reports."""

from collections.abc import Iterator
from collections.abc import Mapping
from collections import Counter
import time

from prometheus_client import core

from cyborg_spdk.service import duty as duties
from cyborg_spdk.service.metrics import of_targets
from cyborg_spdk.units import report_account

_gauge, _counter = of_targets.gauge, of_targets.counter


def families(states: Mapping[str, duties.State],
             reports: Mapping[str, report_account.Account]
             ) -> Iterator[core.Metric]:
    """What is known of the duties and of the reports.

    :param states: of the duties, by name.
    :param reports: the last reports, by kind of target.
    """
    yield from _duties(states)
    yield from _plugs(states)
    yield from _wipes(states)
    yield from _reports(reports)


def _duties(states: Mapping[str, duties.State]) -> Iterator[core.Metric]:
    now = time.monotonic()
    yield _gauge('duty_ok', 'Whether a duty has found nothing wrong.',
                 ['duty'], [((name,), float(not state.problems))
                            for name, state in states.items()])
    yield _counter('duty_runs', 'How often a duty was done.', ['duty'],
                   [((name,), state.runs)
                    for name, state in states.items()])
    yield _gauge('duty_last_end_seconds', 'How long ago a duty was done.',
                 ['duty'], [((name,), now - state.ended)
                            for name, state in states.items()
                            if state.ended is not None])


def _plugs(states: Mapping[str, duties.State]) -> Iterator[core.Metric]:
    plugs = [plug for state in states.values()
             for plug in state.outcome.facts.get('plugs') or ()]
    yield _gauge(
        'plugs', 'Units and instances by how far they are: plugged, '
        'waiting, leaving or left.', ['target', 'state'],
        Counter((plug['target'], plug['state']) for plug in plugs).items())
    yield _gauge(
        'plug_problems', 'How many of them are not as they should be; '
        '"cyborg-spdk plug list" says why.', ['target'],
        Counter((plug['target'],) for plug in plugs if plug['why']).items())


def _wipes(states: Mapping[str, duties.State]) -> Iterator[core.Metric]:
    yield _counter(
        'wipes', 'Wipes of the duty wipe since the service started.',
        ['result'],
        [((result,), state.outcome.facts[f'{result}_in_all'])
         for state in states.values() for result in ('wiped', 'failed')
         if f'{result}_in_all' in state.outcome.facts])


def _reports(reports: Mapping[str, report_account.Account]
             ) -> Iterator[core.Metric]:
    yield _gauge('report_timestamp_seconds', 'When a driver made its last '
                 'report to Cyborg (seconds of the epoch).', ['driver'],
                 [((kind,), one.at) for kind, one in reports.items()])
    yield _gauge('report_duration_seconds', 'How long it took for that.',
                 ['driver'],
                 [((kind,), one.seconds) for kind, one in reports.items()])
    devices = [(name, device) for one in reports.values()
               for name, device in one.devices.items()]
    for name, field, meaning in (
            ('all', 'units', 'Units of a target in the last report.'),
            ('new', 'new', 'Units in it that Cyborg is told of first.'),
            ('waiting', 'waiting', 'New units that wait for a later report.'),
            ('held', 'held', 'Units that are gone, and are reported on.')):
        yield _gauge(f'report_{name}_units', meaning, ['target'], [
            ((target,), getattr(device, field)) for target, device in devices])
    yield _gauge('report_frozen', 'Whether a target had to be left as Cyborg '
                 'has it.', ['target'],
                 [((target,), float(bool(device.frozen)))
                  for target, device in devices])
