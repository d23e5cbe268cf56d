# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk plug``: units in the guests of this host."""

import argparse
from typing import Any

from oslo_config import cfg

from cyborg_spdk.cli import commands
from cyborg_spdk import loggers
from cyborg_spdk.service import ask
from cyborg_spdk.service import options
from cyborg_spdk.service.plug import duty
from cyborg_spdk.service.plug import hypervisor
from cyborg_spdk.service.plug import rounds
from cyborg_spdk.service.plug import wishes as plug_wishes
from cyborg_spdk.units import placement
from cyborg_spdk.units.wipe import run as wipe_run

LOG = loggers.get(__name__)

_COLUMNS = ('Instance', 'Name', 'Target', 'Unit', 'Device', 'State', 'Why')

#: What a look or a round gives.
Rows = tuple[tuple[str, ...], list[tuple[str, ...]]]


class _Plugs(commands.Configured, commands.Fitting):
    """Rows of plugs; the exit status is 1 if one is not as it should be."""

    narrow = ('Name', 'Unit', 'Device', 'State', 'Why')

    def run(self, parsed_args: argparse.Namespace) -> int:
        self._failed = False
        return int(super().run(parsed_args) or self._failed)

    def take_action(self, parsed_args: argparse.Namespace) -> Rows:
        conf = self.conf
        options.check(conf)
        host = hypervisor.Hypervisor(conf)
        wishes = plug_wishes.Wishes(placement.Placement(conf))
        try:
            plugs = self.plugs(conf, host, wishes)
        finally:
            host.close()
        self._failed = any(plug.why for plug in plugs)
        return _COLUMNS, [
            (plug.instance, plug.name, plug.target, plug.unit, plug.device,
             plug.state, plug.why) for plug in plugs]

    def plugs(self, conf: Any, host: hypervisor.Hypervisor,
              wishes: plug_wishes.Wishes) -> list[rounds.Plug]:
        """What is to be shown."""
        return rounds.Round(conf, host, wishes).look()


class List(_Plugs):
    """Show which unit is a disk of which instance, and which is to be one.

    Placement and libvirt are asked; nothing is changed. Why one is not as it
    should be is asked of the service, which has tried.
    """

    def plugs(self, conf: Any, host: hypervisor.Hypervisor,
              wishes: plug_wishes.Wishes) -> list[rounds.Plug]:
        found = super().plugs(conf, host, wishes)
        told = _told(conf)
        if told is None:
            if any(plug.state != rounds.PLUGGED for plug in found):
                LOG.warning(
                    'the service does not run here with the duty plug, or '
                    'cannot be asked: see systemctl status cyborg-spdk')
            return found
        by_disk = {(plug.instance, plug.unit): plug for plug in told}
        rows = []
        for plug in found:
            known = by_disk.pop((plug.instance, plug.unit), None)
            # It may have changed since.
            rows.append(known if known and known.state == plug.state
                        else plug)
        return rows + [plug for plug in by_disk.values()
                       if plug.why and not plug.name]


def _told(conf: cfg.ConfigOpts) -> list[rounds.Plug] | None:
    """What the service has found in its last round; None: it tells none."""
    health = ask.health(conf) or {}
    plugs = health.get('duties', {}).get(duty.NAME, {}).get('plugs')
    try:
        return None if plugs is None else [
            rounds.Plug(**plug) for plug in plugs]
    except TypeError:
        return None  # It is of another release.


class Now(_Plugs):
    """Plug in and take out what is due, once; the service does so by itself.

    The exit status is 1 if a unit cannot be plugged, or not be taken out.
    """

    def plugs(self, conf: Any, host: hypervisor.Hypervisor,
              wishes: plug_wishes.Wishes) -> list[rounds.Plug]:
        plugs, to_wipe = duty.work(conf, host, wishes)
        for job in to_wipe:
            wipe_run.wipe(conf, job.target, job.handle,
                          waiting=job.instance, certain=True)
        return duty.work(conf, host, wishes)[0] if to_wipe else plugs
