# SPDX-License-Identifier: Apache-2.0

"""What is wrong with which target, told once when it begins and ends."""

import logging
import threading

from cyborg_spdk import loggers

LOG = loggers.get(__name__)


class Conditions:
    """The conditions of some targets, for one driver or one service.

    What is wrong is found again each time that one looks; a line is written
    when a condition begins, when it changes, and when it ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: dict[tuple[str, str], object] = {}

    def tell(self, target: str, what: str, message: object,
             level: int = logging.WARNING) -> None:
        """Take note of a condition.

        :param target: the target's name; it comes first in the line.
        :param what: which condition, in a word or two.
        :param message: one line with the remedy, or None if all is well.
        :param level: ``logging``'s level of the line.
        """
        key = (target, what)
        with self._lock:
            if message == self._told.get(key):
                return
            if message is None:
                del self._told[key]
            else:
                self._told[key] = message
        if message is None:
            LOG.info('%s: %s: well again', target, what)
        else:
            LOG.log(level, '%s: %s: %s', target, what, message)
