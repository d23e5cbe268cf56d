# SPDX-License-Identifier: Apache-2.0

"""Loggers whose messages are one line each, whatever is in them.

The agent writes its log by a formatter that is none of ours, so a name that
a target told is made harmless before any handler sees it.
"""

import logging

from cyborg_spdk import text


class _OneLine(logging.Filter):
    """Makes a message what :func:`cyborg_spdk.text.printable` makes of it.

    A traceback behind it is left alone.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = text.printable(record.getMessage()), None
        return True


_ONE_LINE = _OneLine()


def get(name: str) -> logging.Logger:
    """The logger of a module; for ``LOG = loggers.get(__name__)``.

    :param name: the module's name.
    """
    found = logging.getLogger(name)
    found.addFilter(_ONE_LINE)
    return found
