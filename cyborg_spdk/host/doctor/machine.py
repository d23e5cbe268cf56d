# SPDX-License-Identifier: Apache-2.0

"""The machine that ``doctor`` examines, and what is to run on it."""

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import enabled
from cyborg_spdk.host.machine import installation as spdk
from cyborg_spdk.host import process


class Machine:
    """What the checks look at.

    :ivar conf: the configuration.
    :ivar targets: its targets that have a driver.
    :ivar installation: the SPDK that was found, or None.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.conf = conf
        self.targets: list[spdk_conf.Target] = enabled.targets(conf)
        self.installation: spdk.Installation | None = None

    @property
    def simulated(self) -> bool:
        """Whether the targets are simulated, and need nothing."""
        return self.installation is not None and \
            bool(self.installation.simulated)

    def to_start(self) -> list[spdk_conf.Target]:
        """Targets that we start, and that are on this host."""
        return [target for target in self.targets if target.start
                and process.socket_path(target) is not None]
