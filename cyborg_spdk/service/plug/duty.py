# SPDX-License-Identifier: Apache-2.0

"""The duty ``plug``: a round at every event, and every few seconds."""

from collections.abc import Callable
import concurrent.futures
import dataclasses

from oslo_config import cfg

from cyborg_spdk import exceptions
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
NAME = 'plug'

#: Name of the lock that a round holds: two never work at the same time.
LOCK = 'plug'

# Seconds to wait for another's round.
_LOCK_TIMEOUT = 30.0


def work(conf: cfg.ConfigOpts, host: hypervisor.Hypervisor,
         wishes: plug_wishes.Wishes
         ) -> tuple[list[rounds.Plug], list[ways.Job]]:
    """Do one round. Blocks.

    :param conf: the configuration.
    :param host: libvirt.
    :param wishes: Placement's answers.
    :returns: how far each unit is, and the units to wipe before they can
        be plugged.
    :raises SpdkError: if libvirt does not answer, or another round does not
        end.
    """
    with locks.hold(conf.spdk.run_path, LOCK, _LOCK_TIMEOUT,
                    doing='plugging units into guests'):
        one = rounds.Round(conf, host, wishes)
        return one.work(), one.to_wipe


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
        self._host = hypervisor.Hypervisor(conf, self._happened)
        self._wipes = concurrent.futures.ThreadPoolExecutor(
            2, thread_name_prefix='wipe-for-plug')
        self._wiping: dict[str, concurrent.futures.Future[None]] = {}

    def run(self) -> duties.Outcome:
        """Do one round.

        :raises SpdkError: if libvirt does not answer.
        """
        plugs, to_wipe = work(self._conf, self._host, self._wishes)
        for job in to_wipe:
            self._wipe_soon(job)
        return duties.Outcome(
            tuple(f'{plug.name or plug.instance}: {plug.unit}: {plug.why}'
                  for plug in plugs if plug.why),
            {'plugs': [dataclasses.asdict(plug) for plug in plugs]})

    def close(self) -> None:
        self._wipes.shutdown(wait=False, cancel_futures=True)
        self._host.close()

    def _wipe_soon(self, job: ways.Job) -> None:
        """Wipe a unit beside the rounds; the next one plugs it."""
        going = self._wiping.get(job.provider)
        if going is None or going.done():
            self._wiping[job.provider] = self._wipes.submit(self._wipe, job)

    def _wipe(self, job: ways.Job) -> None:
        try:
            wipe_run.wipe(self._conf, job.target, job.handle,
                          waiting=job.instance, certain=True)
        except exceptions.SpdkError as exc:
            LOG.warning('%s: %s, which instance %s waits for, was not '
                        'wiped: %s', job.target.name, job.handle,
                        job.instance, exc)
        else:
            self._wake(self.name)

    def _happened(self, instance: str) -> None:
        self._wishes.forget(instance)
        self._wake(self.name)
