# SPDX-License-Identifier: Apache-2.0

"""What a command that takes longer than a second is doing, on a terminal.

One line on the standard error that is written over and is gone at the end;
nothing of it in a pipe or a file.
"""

from collections.abc import Iterator
import contextlib
import shutil
import sys
import threading
import time
from typing import TextIO

from cyborg_spdk.host import steps

#: Seconds before anything is shown, and between two writings.
AFTER = 1.0
_EVERY = 0.25

#: Back to the beginning of the line, and what is behind that away.
_CLEAR = '\r\x1b[K'


@contextlib.contextmanager
def showing(stream: TextIO | None = None) -> Iterator[None]:
    """Show the steps of targets while something is done.

    :param stream: where to; None is the standard error. Nothing is done if
        it is no terminal.
    """
    stream = sys.stderr if stream is None else stream
    if not stream.isatty():
        yield
        return
    line = _Line(stream)
    with steps.listening(line.step):
        line.start()
        try:
            yield
        finally:
            line.stop()


class _Line:

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._steps: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=self._write, name='progress', daemon=True)

    def step(self, target: str, doing: str) -> None:
        with self._lock:
            self._steps[target] = doing, time.monotonic()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _write(self) -> None:
        self._ended.wait(AFTER)
        shown = False
        while not self._ended.is_set():
            text = self._text()
            if text:
                shown = True
                self._stream.write(f'{_CLEAR}{text}')
                self._stream.flush()
            self._ended.wait(_EVERY)
        if shown:
            self._stream.write(_CLEAR)
            self._stream.flush()

    def _text(self) -> str:
        now = time.monotonic()
        with self._lock:
            text = '; '.join(
                f'{target}: {doing} ({now - since:.0f} s)'
                for target, (doing, since) in self._steps.items() if doing)
        return text[:shutil.get_terminal_size().columns - 1]
