# SPDX-License-Identifier: Apache-2.0

"""Nobody is scheduled onto a unit from its first use until it is clean.

Placement keeps an inventory that is reserved while it is allocated, so that
there is no window when it gets free. The provider of a unit is known from
the last report of its target.
"""

import contextlib

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk import loggers
from cyborg_spdk.units import placement
from cyborg_spdk.units import reported

LOG = loggers.get(__name__)


def _provider(conf: cfg.ConfigOpts, target: spdk_conf.Target,
              handle: str) -> tuple[str, str] | None:
    """UUID and resource class of a unit's provider, if it was reported."""
    found = reported.find(conf, target.name, handle)
    return (found.provider, found.resource_class) if found else None


def hold(conf: cfg.ConfigOpts, target: spdk_conf.Target,
         handle: str, waiting: str | None = None, *,
         certain: bool = False) -> None:
    """Reserve a unit, and see that nobody has it. Blocks.

    A unit that was never reported needs neither.

    :param conf: the configuration.
    :param target: the unit's target.
    :param handle: its handle.
    :param waiting: UUID of an instance that it may be allocated to: that
        one was not let in yet, and waits for the unit to be wiped.
    :param certain: nobody has asked for the wipe: it needs a Placement that
        knows the unit and says that nobody has it. A Placement that has
        forgotten the unit, a report that is lost, no Placement at all are
        doubts, and a doubt never destroys.
    :raises WipeError: if it is allocated to anybody else, or not certain.
    :raises PlacementError: if Placement is configured and does not answer.
    """
    found = _provider(conf, target, handle)
    service = placement.Placement(conf)
    try:
        if certain and (found is None
                        or service.inventories(found[0]) is None):
            raise exceptions.WipeError(
                f'{handle}: Placement does not know it, so nobody can say '
                'that it is free; wipe it by command, if its data may go: '
                f"cyborg-spdk units wipe '{handle}'")
        if found is None:
            return
        _set(service, *found, 1)
        consumers = set(service.consumers(found[0])) - {waiting}
    except exceptions.PlacementNotConfigured:
        if certain:
            raise exceptions.WipeError(
                f'{handle}: without [placement] nobody can say that it is '
                'free; wipe it by command, if its data may go') from None
        LOG.debug('Placement is not configured')
        return
    if consumers:
        raise exceptions.WipeError(
            f'{handle} is allocated to {next(iter(consumers))}; it is wiped '
            'when that has given it back')


def reserve(conf: cfg.ConfigOpts, target: spdk_conf.Target,
            handle: str) -> str | None:
    """Reserve a unit that somebody is let in to. Blocks.

    The report of the drivers does so again and again, so that a failure
    here is no reason not to go on: the unit is allocated at this time. The
    mark of the unit says already that it may be reserved.

    :param conf: the configuration.
    :param target: the unit's target.
    :param handle: its handle.
    :returns: what the operator should know, or None.
    """
    try:
        found = _provider(conf, target, handle)
        if found is not None:
            _set(placement.Placement(conf), *found, 1)
    except exceptions.PlacementNotConfigured:
        return None
    except (exceptions.PlacementError, exceptions.StateError) as exc:
        return (f'it could not be reserved in Placement ({exc}); the next '
                'report does that')
    return None


def release(conf: cfg.ConfigOpts, target: spdk_conf.Target,
            handle: str) -> None:
    """Let Placement give a clean unit away. Blocks.

    :param conf: the configuration.
    :param target: the unit's target.
    :param handle: its handle.
    :raises PlacementError: if Placement is configured and does not answer.
    :raises StateError: if the last report cannot be read.
    """
    found = _provider(conf, target, handle)
    if found is not None:
        with contextlib.suppress(exceptions.PlacementNotConfigured):
            _set(placement.Placement(conf), *found, 0)


def _set(service: placement.Placement, provider: str, resource_class: str,
         reserved: int) -> None:
    try:
        service.reserve(provider, resource_class, reserved)
    except exceptions.PlacementError as exc:
        # Reported, and not in Placement yet: nobody can have it.
        if getattr(exc, 'status', None) != 404:
            raise


def consumer(conf: cfg.ConfigOpts, target: spdk_conf.Target,
             handle: str) -> str | None:
    """Who has a unit allocated. Blocks.

    :param conf: the configuration.
    :param target: the unit's target.
    :param handle: its handle.
    :returns: UUID of the consumer, or None: nobody, or not reported.
    :raises PlacementError: if Placement is configured and does not answer.
    """
    found = _provider(conf, target, handle)
    if found is None:
        return None
    try:
        return next(iter(placement.Placement(conf).consumers(found[0])),
                    None)
    except exceptions.PlacementNotConfigured:
        return None
