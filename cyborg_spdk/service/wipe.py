# SPDX-License-Identifier: Apache-2.0

"""The duty ``wipe``: what was given back is wiped before the next consumer."""

import logging
import threading

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.service import duty as duties
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import run as wipe_run

LOG = logging.getLogger(__name__)

#: Name of the duty.
NAME = 'wipe'


class WipeUnits(duties.Duty):
    """Wipe the units of this host that were given back, one by one.

    Only where that is certain: the unit was let in to somebody and taken
    back, the same disk is behind it, and Placement knows it and says that
    it is allocated to nobody. All else is left to ``units wipe``.

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
        problems, wiped = [], 0
        for mark in marks.load_all(self._conf):
            if self._stopping.is_set():
                break
            target = targets.get(mark.target)
            if mark.in_use or mark.state == marks.CLEAN or target is None:
                continue
            try:
                done = wipe_run.wipe(self._conf, target, mark.handle,
                                     certain=True)
            except exceptions.SpdkError as exc:
                problems.append(f'{mark.target}: {exc}')
            else:
                wiped += 1
                LOG.info('%s: %s is clean: %s', mark.target, mark.handle,
                         done)
        self._wiped += wiped
        self._failed += len(problems)
        return duties.Outcome(tuple(problems), {
            'wiped': wiped, 'wiped_in_all': self._wiped,
            'failed_in_all': self._failed})

    def stop(self) -> None:
        self._stopping.set()
