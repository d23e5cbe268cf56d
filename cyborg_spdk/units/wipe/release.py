# SPDX-License-Identifier: Apache-2.0

"""Placement may give a unit away again: said until Placement has heard it.

The mark of a unit says that it is reserved before it is, and says so until
the reservation was taken back. Placement may be away when a wipe ends: then
the duty ``wipe`` of the service and the reports of the drivers do it later.
"""

from collections.abc import Iterable

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk import loggers
from cyborg_spdk.units import handles
from cyborg_spdk.units import reservation
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import settings

LOG = loggers.get(__name__)


def due(conf: cfg.ConfigOpts,
        known: Iterable[marks.Mark]) -> list[marks.Mark]:
    """Which units are nobody's, clean, and may be reserved all the same.

    :param conf: the configuration.
    :param known: marks of units.
    """
    return [mark for mark in known if _is_due(conf, mark)]


def _is_due(conf: cfg.ConfigOpts, mark: marks.Mark) -> bool:
    return mark.reserved and not mark.in_use and (
        mark.state == marks.CLEAN
        or settings.of(conf, mark.target, mark.handle).method
        == settings.NONE)


def release(conf: cfg.ConfigOpts, target: spdk_conf.Target,
            handle: handles.AnyHandle) -> bool:
    """Take the reservation of a unit back, if it is due. Blocks.

    :param conf: the configuration.
    :param target: the unit's target.
    :param handle: the unit's handle.
    :returns: whether that was done; False if it was not due any more.
    :raises PlacementError: if Placement does not answer, or refuses.
    :raises StateError: if the unit is busy, or its mark cannot be written.
    """
    text = handles.text(handle)
    with marks.locked(conf, target.name, text, f'release of {text}'):
        mark = marks.load(conf, target.name, text)
        if mark is None or not _is_due(conf, mark):
            return False
        let_go(conf, target, mark)
        return True


def let_go(conf: cfg.ConfigOpts, target: spdk_conf.Target,
           mark: marks.Mark) -> None:
    """Take the reservation of a unit back, whose lock is held. Blocks.

    :param conf: the configuration.
    :param target: the unit's target.
    :param mark: the unit's mark.
    :raises PlacementError: if Placement does not answer, or refuses.
    :raises StateError: if the mark cannot be written.
    """
    reservation.release(conf, target, mark.handle)
    if mark.reserved:
        marks.save(conf, mark.changed(reserved=False))


def after_a_wipe(conf: cfg.ConfigOpts, target: spdk_conf.Target,
                 mark: marks.Mark) -> None:
    """The same; a failure is none of the wipe, and is mended later.

    :param conf: the configuration.
    :param target: the unit's target.
    :param mark: the unit's mark.
    """
    try:
        let_go(conf, target, mark)
    except (exceptions.PlacementError, exceptions.StateError) as exc:
        LOG.warning(
            '%s: %s is clean and still reserved in Placement: %s; the next '
            'report of the agent, or cyborg-spdk serve, takes that back',
            target.name, mark.handle, exc)
