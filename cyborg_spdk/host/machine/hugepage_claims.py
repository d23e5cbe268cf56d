# SPDX-License-Identifier: Apache-2.0

"""Who is about to take huge pages, so that several starts do not count the
same free pages twice.

A target takes its pages some time after it was started. Until it has them
all, what it still lacks is claimed: in a file in ``state_path``, which is
changed only under the lock ``hugepages``.
"""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import dataclasses
import json
import os

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.host import locks
from cyborg_spdk.host.machine import proc
from cyborg_spdk.host import trusted_files


@dataclasses.dataclass
class Claim:
    """Memory that a target about to start will take.

    :ivar mb: MiB in all.
    :ivar starter: pid and ticks of the process that starts it.
    :ivar target: pid and ticks of the target, or None before it runs.
    """

    mb: int
    starter: list[int]
    target: list[int] | None = None

    def missing_mb(self) -> int:
        """MiB that it has not taken yet; 0 if it never will."""
        if self.target is not None:
            return max(0, self.mb - proc.taken_mb(self.target[0])) \
                if _alive(self.target) else 0
        return self.mb if _alive(self.starter) else 0


def _alive(who: list[int]) -> bool:
    pid, ticks = who
    found = proc.stat_of(pid)
    return found is not None and found.ticks == ticks and not found.dead


def _who(pid: int) -> list[int]:
    return [pid, getattr(proc.stat_of(pid), 'ticks', 0)]


def _path(directory: str) -> str:
    return os.path.join(directory, 'hugepages.claims')


def _read(directory: str) -> dict[str, Claim]:
    try:
        found = trusted_files.read_json(_path(directory)) or {}
        claims = {name: Claim(**claim) for name, claim in found.items()}
        return {name: claim for name, claim in claims.items()
                if claim.missing_mb() > 0}
    except (trusted_files.Damaged, ValueError, TypeError, AttributeError):
        return {}


def _write(directory: str, claims: dict[str, Claim]) -> None:
    trusted_files.write_atomically(_path(directory), json.dumps(
        {name: dataclasses.asdict(claim)
         for name, claim in claims.items()}).encode(), durable=False)


@contextlib.contextmanager
def claiming(directory: str, target: spdk_conf.Target, timeout: float
             ) -> Iterator[tuple[Callable[[], list[int]],
                                 Callable[[int], None]]]:
    """Claim the memory of a target while its pages are prepared.

    The lock is held inside; leave it as soon as the target runs.

    :param directory: the trusted directory.
    :param target: a :class:`cyborg_spdk.conf.Target`.
    :param timeout: seconds to wait for the lock.
    :returns: (function that tells how many MiB each start will still take,
        by now; function to be told the pid of the target).
    """
    with locks.hold(directory, 'hugepages', timeout,
                    doing=f'{target.name}: huge pages'):
        claims = _read(directory)
        claims.pop(target.name, None)
        others = list(claims.values())
        mine = claims[target.name] = Claim(target.memory_mb,
                                           _who(os.getpid()))
        _write(directory, claims)

        def needs_mb() -> list[int]:
            return [target.memory_mb] + [
                missing for missing in map(Claim.missing_mb, others)
                if missing]

        def started(pid: int) -> None:
            mine.target = _who(pid)
            _write(directory, claims)

        try:
            yield needs_mb, started
        except BaseException:
            del claims[target.name]
            _write(directory, claims)
            raise
