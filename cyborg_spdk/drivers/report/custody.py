# SPDX-License-Identifier: Apache-2.0

"""Dirty units are not offered: not reported before, and reserved after.

A provider that Cyborg makes has nothing reserved, so that a unit must be
clean before it is reported at all. One that is reported is reserved from its
first use until it is clean; Cyborg undoes that in some cases, so it is said
again when its provider has changed.
"""

from collections.abc import Mapping

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.drivers.report import entries
from cyborg_spdk.drivers.report import placement_view
from cyborg_spdk.drivers.report import plan
from cyborg_spdk import exceptions
from cyborg_spdk.units import placement
from cyborg_spdk.units import unit as unit_module
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import release as wipe_release
from cyborg_spdk.units.wipe import state

_Entries = dict[str, entries.Entry]


class Custody:
    """What the drivers do about dirty units.

    :param service: Placement.
    """

    def __init__(self, service: placement.Placement) -> None:
        self._placement = service
        # Generations of providers at which they were seen reserved.
        self._reserved: dict[str, int] = {}

    def offered(self, target: str, found: _Entries,
                units: tuple[unit_module.Unit, ...],
                reported: Mapping[str, entries.Entry],
                ) -> tuple[_Entries, list[str], list[str]]:
        """Which units may be reported.

        :param target: name of the target.
        :param found: entries of its units, by name.
        :param units: its units.
        :param reported: what the last report had, by name.
        :returns: the entries that may be reported; handles of those that
            are kept back; names of those of the first that are dirty.
        """
        states = state.of_all(cfg.CONF, target, units)
        offered, back, dirty = {}, [], []
        for name, entry in found.items():
            clean = states[entry.handle].clean
            if not clean and name not in reported:
                back.append(entry.handle)
                continue
            offered[name] = entry
            if not clean and states[entry.handle].known:
                dirty.append(name)
        return offered, back, dirty

    def reserve(self, names: list[str], found: Mapping[str, entries.Entry],
                view: placement_view.PlacementView) -> str | None:
        """See that dirty units are reserved in Placement. Blocks.

        :param names: of the dirty ones.
        :param found: their entries.
        :param view: what Placement has told in this report.
        :returns: what to tell the operator, or None.
        """
        try:
            known = view.children() if names else {}
            for name in names:
                provider = known.get(name)
                if provider is None or self._reserved.get(
                        name) == provider.generation:
                    continue
                self._placement.reserve(
                    provider.uuid, found[name].resource_class, 1)
                self._reserved[name] = provider.generation
        except plan.Unknown:
            # Told by the report itself.
            return None
        except exceptions.PlacementNotConfigured:
            return None
        except exceptions.PlacementError as exc:
            return f'dirty units are not reserved in Placement: {exc}'
        return None

    @staticmethod
    def release(target: spdk_conf.Target) -> str | None:
        """See that clean units are not reserved any more. Blocks.

        Placement may have been away when a wipe ended.

        :param target: the target.
        :returns: what to tell the operator, or None.
        """
        try:
            for mark in wipe_release.due(cfg.CONF, [
                    mark for mark in marks.load_all(cfg.CONF)
                    if mark.target == target.name]):
                wipe_release.release(cfg.CONF, target, mark.handle)
        except exceptions.SpdkError as exc:
            return f'clean units are still reserved in Placement: {exc}'
        return None


def of_kept_back(handles: list[str]) -> str | None:
    """What to tell of units that are not reported.

    :param handles: their handles.
    """
    if not handles:
        return None
    text = f'{handles[0]} is not reported: what is on its disk is not ' \
        'known, or it is being wiped'
    if len(handles) > 1:
        text += f' (and {len(handles) - 1} more)'
    return f"{text}; wipe it: cyborg-spdk units wipe '{handles[0]}'"
