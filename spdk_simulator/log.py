# SPDX-License-Identifier: Apache-2.0

"""Log lines as SPDK writes them, to stderr."""

import sys
import time

LEVELS = ("ERROR", "WARNING", "NOTICE", "INFO", "DEBUG")


class Log:
    """A target's log.

    :ivar level: what is kept for syslog (``log_set_level``).
    :ivar print_level: what is printed (``log_set_print_level``).
    """

    def __init__(self, stream=None):
        self.stream = stream or sys.stderr
        self.level = "NOTICE"
        self.print_level = "INFO"
        self.timestamps = True

    def _write(self, level, file, line, function, text):
        if LEVELS.index(level) > LEVELS.index(self.print_level):
            return
        self.raw(f"{self._stamp()}{file}:{line:>4}:{function}: *{level}*: "
                 f"{text}")

    def _stamp(self):
        if not self.timestamps:
            return ""
        now = time.time()
        return time.strftime("[%Y-%m-%d %H:%M:%S", time.localtime(now)) \
            + f".{int(now % 1 * 1e6):06d}] "

    def printed(self, text):
        """Write a line of the level of notices that names no function."""
        if LEVELS.index(self.print_level) >= LEVELS.index("NOTICE"):
            self.raw(self._stamp() + text)

    def raw(self, text):
        """Write one line as it is (EAL and getopt have their own forms)."""
        try:
            self.stream.write(text + "\n")
            self.stream.flush()
        except (OSError, ValueError):
            return

    def errlog(self, file, line, function, text):
        """Write an ``*ERROR*`` line."""
        self._write("ERROR", file, line, function, text)

    def warnlog(self, file, line, function, text):
        """Write a ``*WARNING*`` line."""
        self._write("WARNING", file, line, function, text)

    def noticelog(self, file, line, function, text):
        """Write a ``*NOTICE*`` line."""
        self._write("NOTICE", file, line, function, text)
