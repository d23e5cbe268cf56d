# SPDX-License-Identifier: Apache-2.0


"""Which scheduler is chosen (``lib/event/reactor.c``); nothing is scheduled.

From v25.05 on the static scheduler has no period for long: when it next
balances, it gives its period up (``scheduler_static.c``).
"""

import time

_SECOND = 1_000_000


class Scheduler:
    """The scheduler of a target.

    :ivar name: of the scheduler; None until one is chosen or initialized.
    :ivar isolated: mask of the cores that are left alone, hexadecimal.
    :ivar core: the core that schedules.
    :ivar limits: what the dynamic scheduler goes by, in per cent.
    """

    def __init__(self, target):
        self.target = target
        self.name = None
        self.isolated = "0"
        self.core = target.cores()[0]
        self.limits = {"load_limit": 20, "core_limit": 80, "core_busy": 95}
        self._period = 0
        self._changed = False
        self._set = 0.0
        # Counted from the 0 of the time stamp counter.
        self._balanced = 0.0

    def start(self):
        """Initialize the subsystem: there must be one."""
        if self.name is None:
            self.choose("static")
        if self.target.release < 2209 and not self._period:
            self._period = _SECOND

    @property
    def period(self):
        """Microseconds between two balances, 0 if there are none."""
        if self._period and self.name == "static" \
                and self.target.release >= 2501:
            due = max(self._set, self._balanced + self._seconds())
            if time.monotonic() > due:
                self._balanced = due
                self._period = 0
        return self._period

    def _seconds(self):
        """How long a period is in ticks of 64 bits.

        :returns: seconds, without end if nothing is left of it.
        """
        rate = self.target.tick_rate
        ticks = self._period * rate % 2 ** 64 // _SECOND
        return ticks / rate if ticks else float("inf")

    def set_period(self, period):
        """Set the period.

        :param period: microseconds; 0 keeps the one there is.
        """
        release, rate = self.target.release, self.target.tick_rate
        if not period:
            period = self.period
            if release >= 2405:
                period = period or _SECOND
        elif release < 2501:
            # What is lost may be all of it.
            period = period * rate % 2 ** 64 // _SECOND
            period = period * _SECOND % 2 ** 64 // rate
        self._period = period
        self._set = time.monotonic()

    def balance(self):
        """Have the static scheduler put things back at once."""
        self._period, self._set = 1, time.monotonic()
        self._balanced = 0.0

    def choose(self, name):
        """Take a scheduler, as the release initializes it."""
        release = self.target.release
        if name == self.name:
            return
        self._changed = self._changed or self.name == "static"
        self.name = name
        if name == "dynamic" and 2209 <= release < 2405:
            self._period = self._period or _SECOND
        elif name == "static" and release >= 2501 and self._changed:
            self.balance()
        elif name == "static" and release >= 2209:
            self._period = 0

    def facts(self):
        """The reply of ``framework_get_scheduler``."""
        release = self.target.release
        facts = {"scheduler_name": self.name} if self.name else {}
        facts["scheduler_period"] = self.period
        if release >= 2409:
            facts["isolated_core_mask"] = self.isolated
            facts["scheduling_core"] = self.core
        if self.name == "dynamic" and release >= 2205:
            facts.update(self.limits)
        return facts

    def calls(self):
        """The calls that make the present state; none without one."""
        if self.name is None:
            return []
        params = {"name": self.name}
        if self.period:
            params["period"] = self.period % 2 ** 32
        return [{"method": "framework_set_scheduler", "params": params}]
