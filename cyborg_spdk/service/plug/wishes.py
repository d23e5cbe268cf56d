# SPDX-License-Identifier: Apache-2.0

"""Which units which instances were given, as Placement tells.

Nova starts a domain only when its accelerator requests are bound, and the
allocation is there before that (nova/compute/manager.py
``_build_resources``): so a running domain has what its allocation names.
"""

from collections.abc import Iterable
import threading
import time
import uuid

from cyborg_spdk import exceptions
from cyborg_spdk.units import placement

#: Seconds for which an answer is good if nothing happened to the domain.
GOOD_FOR = 30.0


def is_instance(consumer: str | None) -> bool:
    """Whether a consumer is one that Placement may know: a UUID.

    :param consumer: the name that a mark has of it.
    """
    try:
        return str(uuid.UUID(consumer)) == consumer
    except (ValueError, TypeError):
        return False


class Wishes:
    """Asks Placement, and no more often than needed. For several threads.

    :param service: Placement.
    """

    def __init__(self, service: placement.Placement) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, frozenset[str]]] = {}

    def forget(self, instance: str) -> None:
        """Ask anew the next time: something happened to the domain.

        :param instance: its UUID.
        """
        with self._lock:
            self._known.pop(instance, None)

    def of(self, instance: str) -> frozenset[str]:
        """UUIDs of the providers that an instance has an allocation of.

        :param instance: its UUID.
        :raises PlacementError: if there is no answer: then nothing is known.
        """
        now = time.monotonic()
        with self._lock:
            asked, found = self._known.get(instance, (0.0, frozenset()))
            if asked and now - asked < GOOD_FOR:
                return found
        return self.ask(instance)

    def ask(self, instance: str) -> frozenset[str]:
        """The same, asked now."""
        found = frozenset(self._service.allocations(instance))
        with self._lock:
            self._known[instance] = time.monotonic(), found
        return found

    def gave_back(self, instance: str, provider: str) -> bool:
        """Whether a running instance has a unit no more, asked now.

        Nova gives each instance its cores and memory, too, and takes all of
        it back only after the domain has ended. So one that runs and has
        nothing at all was not taken back: Placement has forgotten it (its
        database was restored, or made anew).

        :param instance: UUID of an instance whose domain runs.
        :param provider: UUID of the unit's provider.
        :raises PlacementError: if nothing is known of the instance.
        """
        found = self.ask(instance)
        if not found:
            raise exceptions.PlacementError(
                f'it has no allocation at all of instance {instance}, which '
                'runs, so nothing is taken from it; put its allocations '
                'back, those of its units first')
        return provider not in found

    def keep(self, instances: Iterable[str]) -> None:
        """Forget all others: their domains have gone.

        :param instances: UUIDs of the domains that run.
        """
        with self._lock:
            wanted = set(instances)
            self._known = {one: answer for one, answer in
                           self._known.items() if one in wanted}
