# SPDX-License-Identifier: Apache-2.0

"""The duty ``wipe``: what was given back is wiped before the next consumer."""

from collections.abc import Callable
import threading

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk import loggers
from cyborg_spdk.service import duty as duties
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import release as wipe_release
from cyborg_spdk.units.wipe import run as wipe_run
from cyborg_spdk.units.wipe import settings

LOG = loggers.get(__name__)

#: Name of the duty.
NAME = 'wipe'


class WipeUnits(duties.Duty):
    """Wipe the units of this host that were given back, one by one.

    Only where that is certain: the unit was let in to somebody and taken
    back, the same disk is behind it, and Placement knows it and says that
    it is allocated to nobody. All else is left to ``units wipe``. Units
    that are clean, and reserved in Placement all the same, are let go.

    :param conf: the configuration.
    """

    name = NAME
    interval = 10.0

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._stopping = threading.Event()
        self._wiped = self._failed = 0

    def run(self) -> duties.Outcome:
        """Wipe what is due.

        :raises StateError: if the marks cannot be read.
        """
        targets = {one.name: one for one in spdk_conf.targets(self._conf)}
        known = [mark for mark in marks.load_all(self._conf)
                 if mark.target in targets]
        problems: list[str] = []
        released = wiped = 0
        for mark in wipe_release.due(self._conf, known):
            released += self._try(mark, wipe_release.release,
                                  targets[mark.target], problems)
        for mark in known:
            if self._stopping.is_set():
                break
            if not mark.in_use and mark.state != marks.CLEAN and \
                    settings.of(self._conf, mark.target,
                                mark.handle).method != settings.NONE:
                wiped += self._try(mark, self._wipe, targets[mark.target],
                                   problems)
        self._wiped += wiped
        self._failed += len(problems)
        return duties.Outcome(tuple(problems), {
            'wiped': wiped, 'released': released,
            'wiped_in_all': self._wiped, 'failed_in_all': self._failed})

    def _try(self, mark: marks.Mark,
             work: Callable[[cfg.ConfigOpts, spdk_conf.Target, str], bool],
             target: spdk_conf.Target, problems: list[str]) -> bool:
        try:
            return work(self._conf, target, mark.handle)
        except exceptions.SpdkError as exc:
            problems.append(f'{mark.target}: {exc}')
            return False

    @staticmethod
    def _wipe(conf: cfg.ConfigOpts, target: spdk_conf.Target,
              handle: str) -> bool:
        with wipe_run.held(conf, target, handle, certain=True,
                           unwiped=True) as found:
            done = found.done
        if done.method == settings.NONE:
            return False
        LOG.info('%s: %s is clean: %s', target.name, handle, done)
        return True

    def stop(self) -> None:
        self._stopping.set()
