# SPDX-License-Identifier: Apache-2.0

"""Which units which instances were given, as Placement tells.

Nova starts a domain only when its accelerator requests are bound, and the
allocation is there before that (nova/compute/manager.py
``_build_resources``): so a running domain has what its allocation names.
"""

from collections.abc import Iterable
import threading
import time

from cyborg_spdk.units import placement

#: Seconds for which an answer is good if nothing happened to the domain.
GOOD_FOR = 30.0


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

    def keep(self, instances: Iterable[str]) -> None:
        """Forget all others: their domains have gone.

        :param instances: UUIDs of the domains that run.
        """
        with self._lock:
            wanted = set(instances)
            self._known = {one: answer for one, answer in
                           self._known.items() if one in wanted}
