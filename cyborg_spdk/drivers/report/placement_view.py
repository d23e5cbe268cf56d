# SPDX-License-Identifier: Apache-2.0

"""What Placement has of this host, asked once for each report."""

from collections.abc import Callable
from collections.abc import Mapping
from typing import TypeVar

from cyborg_spdk import exceptions
from cyborg_spdk.units import placement

_Answer = TypeVar('_Answer')


class Unknown(Exception):
    """Placement gave no answer; nothing is known."""


class PlacementView:
    """Placement's answers about one host, as one report needs them.

    The providers of the host are asked for once. All methods raise
    :exc:`Unknown` if there is no answer.

    :param service: whom to ask.
    :param host: resource provider name of the host.
    :param free: generations of providers that were found to be free, by
        UUID: an allocation changes them, so they need not be asked again.
    :ivar reason: why there was no answer, or None.
    :ivar away: a question got no answer; no other is asked.
    :ivar optional: there is no Placement to ask, by configuration.
    """

    def __init__(self, service: placement.Placement, host: str,
                 free: dict[str, int]) -> None:
        self._service = service
        self._host = host
        self._free = free
        self._children: dict[str, placement.Provider] | None = None
        self._root = ''
        self.reason: str | None = None
        self.optional = False
        self.away = False

    def children(self) -> Mapping[str, placement.Provider]:
        """All providers below the host's own, by name."""
        if self._children is None:
            if self.reason is not None:
                # Asked already: a report must not wait for it once more.
                raise Unknown(self.reason)
            found = self._ask(self._service.children, self._host)
            if found is None:
                self.reason = (f'it has no provider {self._host}: is '
                               'nova-compute running on this host?')
                raise Unknown(self.reason)
            self._children = found
        return self._children

    def known(self, mark: str) -> dict[str, placement.Provider]:
        """The providers of one device.

        :param mark: what their names have in common.
        """
        return {name: one for name, one in self.children().items()
                if mark in name}

    def allocated(self, name: str) -> bool:
        """Whether somebody holds something of a provider."""
        provider = (self._children or {}).get(name)
        if provider and self._free.get(
                provider.uuid) == provider.generation:
            return False
        held = self._ask(self._service.allocated, name)
        if provider and not held:
            self._free[provider.uuid] = provider.generation
        return held

    def inventories(self, provider: placement.Provider) \
            -> tuple[Mapping[str, placement.Inventory], float | None]:
        """What a provider has, and since when.

        :returns: inventories by resource class; and seconds since the epoch
            on Placement's clock, or None.
        """
        return self._ask(self._service.dated_inventories, provider.uuid)

    def with_traits(self, provider: placement.Provider,
                    traits: tuple[str, ...]) -> set[str]:
        """Names of the providers of this host that have some traits.

        :param provider: any of them.
        """
        return self._ask(
            lambda root: self._service.with_traits(root, traits),
            provider.root)

    def _ask(self, question: Callable[[str], _Answer],
             value: str) -> _Answer:
        if self.away:
            # Once: each question may take its time to fail.
            raise Unknown(self.reason)
        try:
            return question(value)
        except exceptions.PlacementError as exc:
            self.optional = isinstance(
                exc, exceptions.PlacementNotConfigured)
            self.reason = str(exc)
            self.away = True
            raise Unknown(self.reason) from exc
