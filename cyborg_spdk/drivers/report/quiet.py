# SPDX-License-Identifier: Apache-2.0

"""Whether a report of a device says anything that Cyborg does not know.

For a device that is reported as a stub Cyborg's conductor does a quarter of
the database statements, or less, and it changes nothing.
"""

import hashlib

from cyborg_spdk.drivers.report import memory
from cyborg_spdk.units import unit

#: Reports in full after a change: Cyborg does not say whether one got
#: through, and what Placement is not told of (board info) shows nowhere.
FULL_TIMES = 2


def digest(*texts: str) -> str:
    """Digits of what a device says beside its units."""
    return hashlib.sha256(unit.canonical(texts).encode()).hexdigest()[:32]


def spread(interval: float, *names: str) -> float:
    """An interval that is not the same on all hosts.

    Hosts that were installed together would report in full together.

    :param interval: ``[spdk] full_report_interval``.
    :param names: host and target.
    :returns: 80 to 100 % of it, always the same for the same names.
    """
    number = int(hashlib.sha256(unit.canonical(names).encode()).hexdigest()[
        :8], 16)
    return interval * (0.8 + 0.2 * number / 0xffffffff)


def unchanged(last: memory.State | None, now: memory.State,
              known: set[str], strange: set[str]) -> bool:
    """Whether a device is as it was reported, and Placement has it so.

    :param last: what is remembered; None if nothing is.
    :param now: what would be remembered of a report in full.
    :param known: names of the device's providers in Placement.
    :param strange: those of which it is known that Cyborg has no more.
    """
    return (last is not None and not now.dropped and not last.dropped
            and last.reported == now.reported
            and set(now.confirmed) == set(now.reported)
            and known - strange == set(now.reported))


def due(full: memory.Full | None, says: str, now: float,
        interval: float) -> bool:
    """Whether a report in full is due although no unit has changed.

    :param full: the last one.
    :param says: :func:`digest` of what this one would say.
    :param now: seconds since the epoch.
    :param interval: seconds; see :func:`spread`.
    """
    return (full is None or full.digest != says or full.times < FULL_TIMES
            or not 0 <= now - full.at < interval)
