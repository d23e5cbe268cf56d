# SPDX-License-Identifier: Apache-2.0

"""The duty ``plug``: a round at every event, and every few seconds."""

from collections.abc import Callable
from collections.abc import Iterator
import concurrent.futures
import contextlib
import dataclasses
import os
import threading
import time

from oslo_config import cfg

from cyborg_spdk.desired import plan
from cyborg_spdk.host import locks
from cyborg_spdk import loggers
from cyborg_spdk.service import duty as duties
from cyborg_spdk.service.plug import hypervisor
from cyborg_spdk.service.plug import rounds
from cyborg_spdk.service.plug import ways
from cyborg_spdk.service.plug import wishes as plug_wishes
from cyborg_spdk.units import placement
from cyborg_spdk.units.wipe import run as wipe_run

LOG = loggers.get(__name__)

#: Name of the duty.
NAME = duties.PLUG

#: Name of the lock that a round holds: two never work at the same time.
LOCK = 'plug'

#: Where root holds a second one: two services of one host share its libvirt,
#: and not always their run_path.
HOST_DIRECTORY, HOST_LOCK = '/run', 'cyborg-spdk-plug'

# Seconds to wait for another's round.
_LOCK_TIMEOUT = 30.0


def work(conf: cfg.ConfigOpts, host: hypervisor.Hypervisor,
         wishes: plug_wishes.Wishes, memory: rounds.Memory | None = None
         ) -> tuple[list[rounds.Plug], list[ways.Job]]:
    """Do one round. Blocks.

    :param conf: the configuration.
    :param host: libvirt.
    :param wishes: Placement's answers.
    :param memory: of the rounds before; None: there were none.
    :returns: how far each unit is, and the units to wipe before they can
        be plugged.
    :raises SpdkError: if libvirt does not answer, or another round does not
        end.
    """
    with _alone(conf):
        one = rounds.Round(conf, host, wishes, memory)
        return one.work(), one.to_wipe


@contextlib.contextmanager
def _alone(conf: cfg.ConfigOpts) -> Iterator[None]:
    doing = 'plugging units into guests'
    with locks.hold(conf.spdk.run_path, LOCK, _LOCK_TIMEOUT, doing=doing):
        if os.geteuid() != 0:
            yield
            return
        with locks.hold(HOST_DIRECTORY, HOST_LOCK, _LOCK_TIMEOUT,
                        doing=doing):
            yield


@dataclasses.dataclass(frozen=True)
class _Failure:
    """Of the wipe of a unit.

    :ivar why: one line.
    :ivar tries: how many have failed in a row.
    :ivar at: when the last one did (``time.monotonic``).
    """

    why: str
    tries: int
    at: float

    def waits(self) -> bool:
        """Whether it is too early to try again."""
        return time.monotonic() - self.at < plan.pause(self.tries)


class PlugUnits(duties.Duty):
    """Keep the disks of the domains as Placement has them.

    :param conf: the configuration.
    :param wake: has the duty done now; called at every event.
    :raises ConfigurationError: if libvirt's binding is not installed.
    """

    name = NAME
    interval = 3.0

    def __init__(self, conf: cfg.ConfigOpts,
                 wake: Callable[[str], None]) -> None:
        self._conf = conf
        self._wake = wake
        self._wishes = plug_wishes.Wishes(placement.Placement(conf))
        self._memory = rounds.Memory()
        self._host = hypervisor.Hypervisor(conf, self._happened)
        self._wipes = concurrent.futures.ThreadPoolExecutor(
            2, thread_name_prefix='wipe-for-plug')
        self._wiping: dict[str, concurrent.futures.Future[None]] = {}
        self._lock = threading.Lock()
        # By the provider of the unit.
        self._failed: dict[str, _Failure] = {}

    def run(self) -> duties.Outcome:
        """Do one round.

        :raises SpdkError: if libvirt does not answer.
        """
        plugs, to_wipe = work(self._conf, self._host, self._wishes,
                              self._memory)
        for job in to_wipe:
            self._wipe_soon(job)
        return duties.Outcome(
            (*(f'{plug.name or plug.instance}: {plug.unit}: {plug.why}'
               for plug in plugs if plug.why), *self._failed_wipes(to_wipe)),
            {'plugs': [dataclasses.asdict(plug) for plug in plugs]})

    def _failed_wipes(self, to_wipe: list[ways.Job]) -> list[str]:
        """Why the last wipes of those units failed that are to be wiped."""
        wanted = {job.provider for job in to_wipe}
        with self._lock:
            self._failed = {provider: failure for provider, failure
                            in self._failed.items() if provider in wanted}
            return [failure.why for failure in self._failed.values()]

    def wiping(self) -> list[str]:
        """Providers of the units that are wiped now for an instance."""
        return sorted(provider for provider, future in self._wiping.items()
                      if not future.done())

    def close(self) -> None:
        self._wipes.shutdown(wait=False, cancel_futures=True)
        self._host.close()

    def _wipe_soon(self, job: ways.Job) -> None:
        """Wipe a unit beside the rounds; the next one plugs it.

        What fails is tried again with growing pauses.
        """
        going = self._wiping.get(job.provider)
        with self._lock:
            failure = self._failed.get(job.provider)
        if (going is None or going.done()) and \
                not (failure and failure.waits()):
            self._wiping[job.provider] = self._wipes.submit(self._wipe, job)

    def _wipe(self, job: ways.Job) -> None:
        try:
            wipe_run.wipe(self._conf, job.target, job.handle,
                          waiting=job.instance, certain=True)
        # Nobody asks this thread for what it raises.
        except Exception as exc:
            LOG.debug('a wipe failed', exc_info=True)
            with self._lock:
                before = self._failed.get(job.provider)
                self._failed[job.provider] = _Failure(
                    f'{job.target.name}: {job.handle}, which instance '
                    f'{job.instance} waits for, was not wiped: {exc}',
                    before.tries + 1 if before else 1, time.monotonic())
        else:
            with self._lock:
                self._failed.pop(job.provider, None)
            self._wake(self.name)

    def _happened(self, instance: str) -> None:
        self._wishes.forget(instance)
        self._wake(self.name)
