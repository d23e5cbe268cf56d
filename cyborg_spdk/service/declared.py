# SPDX-License-Identifier: Apache-2.0

"""The duty ``units``: what units.yaml declares is made, and loses nothing."""

from oslo_config import cfg

from cyborg_spdk.desired import declared
from cyborg_spdk.service import duty as duties

#: Name of the duty.
NAME = 'units'


class DeclaredUnits(duties.Duty):
    """Make the declared units; see :class:`declared.Maker`.

    :param conf: the configuration; ``[spdk] units_file`` is set.
    """

    name = NAME
    interval = 5.0

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._maker = declared.Maker(conf)

    def run(self) -> duties.Outcome:
        """Make what is declared and is not there.

        :raises InvalidValue: for an error in the file.
        """
        made = self._maker.run()
        return duties.Outcome(self._maker.problems, {'made': made})
