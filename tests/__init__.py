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

"""Tests: ``unit``, ``functional`` and, in a machine of its own, ``guest``."""

import signal

from hypothesis import settings

# Speed is never tested: a busy machine must not fail a property.
settings.register_profile('cyborg-spdk', deadline=None, print_blob=True)
settings.load_profile('cyborg-spdk')

# A shell starts what it runs in the background with these ignored, and nohup
# ignores SIGHUP: so would the targets and commands that the tests interrupt.
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler
                      if number == signal.SIGINT else signal.SIG_DFL)
