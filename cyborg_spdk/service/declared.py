# SPDX-License-Identifier: Apache-2.0

"""The duty ``units``: what units.yaml declares is made, and loses nothing."""

import os
import time

from oslo_config import cfg

from cyborg_spdk import exceptions
from cyborg_spdk.host import process
from cyborg_spdk import loggers
from cyborg_spdk.service import duty as duties
from cyborg_spdk.units.declared import model
from cyborg_spdk.units.pools import apply
from cyborg_spdk.units.pools import plan

LOG = loggers.get(__name__)

#: Name of the duty.
NAME = 'units'

#: Seconds after which a pool that could not be made is tried again.
_AGAIN = 60.0

#: What a pool was made for: the file, and the process of its target.
_Seen = tuple[object, ...]


class DeclaredUnits(duties.Duty):
    """Do what ``units apply`` without options does, when there is reason to.

    The reason is another file, another process of a target, or a pool that
    could not be made before. Nothing is overwritten, made smaller or deleted:
    that is only for the command.

    :param conf: the configuration; ``[spdk] units_file`` is set.
    """

    name = NAME
    interval = 5.0

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        # By pool: what it was made for, when, and what was wrong then.
        self._made: dict[str, tuple[_Seen, float, str | None]] = {}

    def run(self) -> duties.Outcome:
        """Make what is declared and is not there.

        :raises InvalidValue: for an error in the file.
        """
        found, made = model.load(self._conf), 0
        status = os.stat(self._conf.spdk.units_file)
        self._made = {name: one for name, one in self._made.items()
                      if name in found.pools}
        for name, pool in found.pools.items():
            runs = process.find(pool.target)
            if runs is None:
                # Whoever supervises it tells that.
                self._made.pop(name, None)
                continue
            seen: _Seen = (status.st_ino, status.st_size, status.st_mtime_ns,
                           runs)
            before = self._made.get(name)
            now = time.monotonic()
            if before and before[0] == seen and (
                    before[2] is None or now - before[1] < _AGAIN):
                continue
            try:
                made += apply.Pool(self._conf, pool, found.of_pool(
                    name)).apply(plan.Told(), self._say)
                problem = None
            except exceptions.SpdkError as exc:
                problem = f'{name}: {exc}'
            self._made[name] = seen, now, problem
        return duties.Outcome(
            tuple(one[2] for one in self._made.values() if one[2]),
            {'made': made})

    @staticmethod
    def _say(step: plan.Step) -> None:
        LOG.info('%s %s: %s', step.action, step.what, step.detail)
