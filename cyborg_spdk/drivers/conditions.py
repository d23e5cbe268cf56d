# SPDX-License-Identifier: Apache-2.0

"""What is wrong with which target, told once when it begins and ends."""

import logging

from oslo_log import log

LOG = log.getLogger(__name__)


class Conditions:
    """The conditions of a driver's targets.

    A report is made every minute; a line is written when a condition
    begins, when it changes, and when it ends.
    """

    def __init__(self):
        self._told = {}

    def tell(self, target, what, message, level=logging.WARNING):
        """Take note of a condition.

        :param target: the target's name; it comes first in the line.
        :param what: which condition, in a word or two.
        :param message: one line with the remedy, or None if all is well.
        :param level: ``logging``'s level of the line.
        """
        key = (target, what)
        if message == self._told.get(key):
            return
        if message is None:
            del self._told[key]
            LOG.info('%s: %s: well again', target, what)
        else:
            self._told[key] = message
            LOG.log(level, '%s: %s: %s', target, what, message)
