# SPDX-License-Identifier: Apache-2.0

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
