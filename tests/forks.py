# SPDX-License-Identifier: Apache-2.0
"""Functions called in forked children of a test."""

from collections.abc import Callable
import json
import os
import select
import signal
import time
from typing import Any

#: Seconds that a child may take on a loaded machine.
PATIENCE = 120.0


class Child:
    """A fork of this process that calls a function.

    :param function: what to call; its result can be written as JSON.
    """

    def __init__(self, function: Callable[[], Any]) -> None:
        self._reader, writer = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(self._reader)
            try:
                try:
                    text = json.dumps(function())
                except BaseException as exc:
                    text = json.dumps(f'raised {exc!r}')
                os.write(writer, text.encode())
            finally:
                os._exit(0)
        os.close(writer)

    def result(self) -> Any:
        """What the function returned; a child that hangs is killed."""
        deadline = time.monotonic() + PATIENCE
        data = b''
        try:
            while select.select([self._reader], [], [],
                                max(0, deadline - time.monotonic()))[0]:
                more = os.read(self._reader, 65536)
                if not more:
                    return json.loads(data)
                data += more
            raise AssertionError(f'the child hangs, not within {PATIENCE} s')
        finally:
            os.close(self._reader)
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def each(number: int, function: Callable[[], Any]) -> list[Any]:
    """What a function returns in each of some children at once."""
    children = [Child(function) for _ in range(number)]
    return [child.result() for child in children]
