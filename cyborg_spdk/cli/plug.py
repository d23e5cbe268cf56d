# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk plug``: units in the guests of this host."""

import argparse
from typing import Any

from cyborg_spdk.cli import commands
from cyborg_spdk.service import options
from cyborg_spdk.service.plug import duty
from cyborg_spdk.service.plug import hypervisor
from cyborg_spdk.service.plug import rounds
from cyborg_spdk.service.plug import wishes as plug_wishes
from cyborg_spdk.units import placement
from cyborg_spdk.units.wipe import run as wipe_run

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

    Placement and libvirt are asked; nothing is changed.
    """


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
