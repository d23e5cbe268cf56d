# SPDX-License-Identifier: Apache-2.0

"""How a unit is wiped, and how fast: what the operator has said."""

import dataclasses

from oslo_config import cfg

from cyborg_spdk.units.wipe import zero

#: Zeroes by the unit's own export; by NVMe commands of the target itself;
#: an NVMe Format or Sanitize first; nothing at all.
ZEROES, NVME, FORMAT, SANITIZE, NONE = METHODS = (
    'zeroes', 'nvme', 'format', 'sanitize', 'none')


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a unit is wiped.

    :ivar method: one of :data:`METHODS`.
    :ivar bound: how fast at most.
    """

    method: str
    bound: zero.Bound


def of(conf: cfg.ConfigOpts, target: str, handle: str) -> Settings:
    """The settings of a unit: its pool's, else those of ``[spdk]``.

    :param conf: the configuration.
    :param target: name of the unit's target.
    :param handle: its handle.
    """
    options = conf.spdk
    bound = zero.Bound(
        depth=options.wipe_depth, size=options.wipe_size_mb << 20,
        rate=options.wipe_rate_mb << 20 if options.wipe_rate_mb else None)
    return Settings(options.wipe, bound)
