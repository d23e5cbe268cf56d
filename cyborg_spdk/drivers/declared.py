# SPDX-License-Identifier: Apache-2.0

"""What units.yaml declares is made, beside the agent's reports.

It takes as long as wipes take, so that no report waits for it: what was made
is in the next one. With the host service, whoever comes first does it.
"""

import itertools

from oslo_config import cfg

from cyborg_spdk import conditions
from cyborg_spdk.desired import declared
from cyborg_spdk import exceptions
from cyborg_spdk import tasks

_COUNT = itertools.count(1)


class DeclaredUnits:
    """Makes the declared units of one driver's targets.

    :param conf: the configuration.
    :param kind: kind of the targets.
    :param told: what is told of whom.
    """

    def __init__(self, conf: cfg.ConfigOpts, kind: str,
                 told: conditions.Conditions) -> None:
        self._conf, self._conditions = conf, told
        self._maker = declared.Maker(conf, (kind,))
        self._name = f'units of {kind} {next(_COUNT)}'
        # Whatever [spdk] parallel says: no report waits for a wipe.
        self._tasks = tasks.Tasks()

    def make(self) -> None:
        """Begin to make what is declared. Never raises.

        Nothing is begun while the last one runs; what became of that is
        told now.
        """
        if not self._conf.spdk.units_file:
            return
        if self._tasks.known(self._name):
            try:
                self._tasks.wait(self._name, timeout=0)
            except exceptions.TaskError as exc:
                if exc.__cause__ is None:
                    return
                self._tell(str(exc.__cause__))
            else:
                self._tell('; '.join(self._maker.problems) or None)
        self._tasks.run(self._name, self._maker.run)

    def _tell(self, problem: str | None) -> None:
        self._conditions.tell('units_file', 'declared units', problem)
