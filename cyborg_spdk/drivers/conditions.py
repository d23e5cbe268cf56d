# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

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
