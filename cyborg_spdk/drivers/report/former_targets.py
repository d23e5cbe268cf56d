# SPDX-License-Identifier: Apache-2.0

"""Targets that were reported, and that no enabled driver is for any more."""

from collections.abc import Callable
from collections.abc import Mapping

from cyborg_spdk import conf
from cyborg_spdk.drivers.report import entries
from cyborg_spdk.drivers.report import memory
from cyborg_spdk.drivers.report import placement_view
from cyborg_spdk.drivers.report import reported_targets


def nobody(kind: str, name: str, application: str = '',
           address: str = '') -> conf.Target:
    """A target of which no more is known than what a report needs."""
    return conf.Target(
        name=name, kind=kind, application=application, rpc_address=address,
        start=False, core_mask=None, memory_mb=0, no_huge=False,
        interrupt_mode=False, config_file=None, save_config=False,
        extra_args=(), resource_class='')


class FormerTargets:
    """Finds them, and what they still have.

    :param directory: ``[spdk] state_path``.
    :param host: resource provider name of the host.
    :param names: the targets that are configured and have a driver.
    :param configured: kinds of all targets that are configured, by name.
    :param state: what is remembered of a target, by its name.
    :param view: what Placement has.
    """

    def __init__(self, directory: str, host: str, names: frozenset[str],
                 configured: Mapping[str, str],
                 state: Callable[[str], memory.State | None],
                 view: placement_view.PlacementView) -> None:
        self._directory = directory
        self._host = host
        self._names = names
        self._configured = configured
        self._state = state
        self._view = view

    def targets(self) -> reported_targets.Targets:
        """The targets, by name.

        From the files of the last reports, the two lists of them, the
        configuration, and the names of the providers in Placement: any one
        is enough.
        """
        unknown = reported_targets.Reported()
        found = dict.fromkeys(memory.targets(self._directory), unknown)
        found |= {name: unknown for name in self._in_placement().values()
                  if name}
        found |= {name: reported_targets.Reported(kind)
                  for name, kind in self._configured.items()}
        found |= reported_targets.load(self._directory)
        return {name: one for name, one in sorted(found.items())
                if name not in self._names}

    def handles(self, target: conf.Target, found: Mapping[str, entries.Entry],
                last: memory.State | None) -> set[str]:
        """What of a target is in the report under a name that it had.

        There it stays until it is free; under both it would be given away
        twice.

        :param found: what the target has now.
        :param last: what is remembered of it under this name.
        :returns: handles.
        """
        handles = {entry.handle for entry in found.values()}
        had: set[str] = set()
        where = memory.address(target)
        for name, was in self.targets().items():
            state = self._state(name)
            if state is None:
                if was.kind in ('', target.kind) \
                        and was.address in ('', where):
                    had |= self._by_providers(name, handles - {
                        entry.handle for entry in (
                            last.reported if last else {}).values()})
            elif state.kind == target.kind and state.address == where:
                had |= {entry.handle for entry in (
                    *state.reported.values(), *state.dropped.values(),
                    *state.unsure.values())}
        return handles & had

    def _by_providers(self, name: str, handles: set[str]) -> set[str]:
        """What is known of a target is lost: the providers' names tell."""
        try:
            known = self._view.known(entries.mark(self._host, name))
        except placement_view.Unknown:
            return set()
        return {handle for handle in handles if any(
            entries.same_unit(one, handle) for one in known)}

    def _in_placement(self) -> dict[str, str | None]:
        try:
            return entries.targets_of(self._host, self._view.children())
        except placement_view.Unknown:
            return {}
