# SPDX-License-Identifier: Apache-2.0

"""When to connect again, and until when; times are given, none is read."""

from __future__ import annotations

#: Pause between two attempts to reach a target that went away, in seconds;
#: so there are at most 50 connections in a second that come to nothing.
PAUSE = 0.02


class Retry:
    """How long a target that went away is waited for.

    One that is restarted under load needs a moment: something was on its
    way, or its last reply is younger than the time that connecting may
    take. One that was quiet for longer, or was told to end, is found gone
    at once.

    All times are those of ``time.monotonic()``.

    :param connect_timeout: seconds that connecting may take.

    :ivar until: connecting is tried again until this time.
    :ivar next_attempt: not to connect before this time.
    :ivar last_reply: when anything came in that made sense.
    :ivar ending: whether the target was told to end.
    """

    def __init__(self, connect_timeout: float) -> None:
        self.until = 0.0
        self.next_attempt = 0.0
        self.last_reply = float("-inf")
        self.ending = False
        self._connect_timeout = connect_timeout

    def lost(self, now: float, *, answered: bool, trusted: bool,
             in_flight: bool) -> None:
        """A connection was lost.

        :param answered: whether anything came over it that made sense, to
            its end. Without, it is as good as refused: the next one waits.
        :param trusted: whether it carried calls, not only the question
            whether the target lives.
        :param in_flight: whether a call was written and not answered.
        """
        if not answered:
            self.next_attempt = now + PAUSE
        if self.ending:
            self.until, self.last_reply = 0.0, float("-inf")
            self.ending = False
        elif not trusted:
            return
        elif in_flight or now - self.last_reply < self._connect_timeout:
            self.until = now + self._connect_timeout
        elif answered:
            self.until = 0.0

    def refused(self, now: float) -> bool:
        """Nobody could be reached.

        :returns: whether to try again.
        """
        if now >= self.until:
            return False
        self.next_attempt = now + PAUSE
        return True
