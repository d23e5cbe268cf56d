# SPDX-License-Identifier: Apache-2.0

"""What an operator is told of a report."""

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence
import logging

from cyborg_spdk.drivers.report import placement_view
from cyborg_spdk.drivers.report import plan
from cyborg_spdk import exceptions
from cyborg_spdk.units import unit

#: How many names stand in one line.
_NAMES = 3


def of_bad(bad: Sequence[tuple[unit.Unit, exceptions.InvalidValue]]) \
        -> str | None:
    """Units that Cyborg or Placement would not take, or None."""
    if not bad:
        return None
    one, reason = bad[0]
    more = f' (and {len(bad) - 1} more)' if len(bad) > 1 else ''
    return f'{one.title} is not reported: {reason}{more}'


def of_renamed(handles: Collection[str]) -> str | None:
    """Units that are reported under the name that a target had, or None."""
    return (f'{len(handles)} units are still reported under the name that it '
            'had; they come under this one when they are free'
            ) if handles else None


def of_frozen(reason: str | None) -> str | None:
    """A device that has to be left as it is, or None."""
    return reason and (f'Cyborg keeps what it has of this target: {reason}; '
                       'free them, or bring the state file back')


def of_plan(planned: plan.Plan, strange: Collection[str],
            view: placement_view.PlacementView) \
        -> Iterator[tuple[str, str | None, int]]:
    """What is told of a plan, or is so no more.

    :param planned: the plan.
    :param strange: providers that Cyborg has no more.
    :param view: what Placement has.
    :returns: condition, message or None, level.
    """
    if view.away:
        # Nobody knows what is allocated.
        yield 'frozen', planned.frozen and (
            'Cyborg keeps what it has of this target until Placement can be '
            'asked'), logging.WARNING
    else:
        yield from _of_providers(planned, strange)
    yield 'waiting', (f'{planned.waiting} new units wait for the next '
                      'reports' if planned.waiting else None), logging.INFO


def _of_providers(planned: plan.Plan, strange: Collection[str]) \
        -> Iterator[tuple[str, str | None, int]]:
    yield 'frozen', of_frozen(planned.frozen), logging.WARNING
    yield 'held', _listed(
        planned.held, 'units are gone or changed and still allocated, so '
        'they are reported on'), logging.WARNING
    yield 'remade', _listed(
        planned.remade, 'units have lost their provider in Placement, its '
        'inventory or a trait; they are left out of one report, so that '
        'Cyborg makes them anew'), logging.WARNING
    yield 'broken', _listed(
        planned.broken, 'allocated units have lost their inventory or a '
        'trait in Placement; Cyborg makes them anew when they are free'
        ), logging.WARNING
    yield 'orphans', _listed(
        sorted(strange), 'providers in Placement belong to no unit, nobody '
        'holds anything of them and Cyborg does not take them away; delete '
        'them (openstack resource provider delete UUID), since an instance '
        'that is given one fails'), logging.WARNING


def _listed(names: Sequence[str], what: str) -> str | None:
    if not names:
        return None
    more = ', ...' if len(names) > _NAMES else ''
    return f'{len(names)} {what}: {", ".join(names[:_NAMES])}{more}'


def of_placement(view: placement_view.PlacementView) -> str | None:
    """Why Placement gave no answer, and what comes of it, or None."""
    if view.reason is None:
        return None
    more = '; set it up for the agent' if view.optional else \
        ', new ones wait'
    return f'{view.reason}; units that are gone are reported on{more}'
