# SPDX-License-Identifier: Apache-2.0

"""Calls that may never return: each in a thread of its own, with a limit.

QEMU waits without an end for a vhost-user target that does not answer, and
libvirt for QEMU. Such a call cannot be taken back; it ends when the target,
the domain or libvirtd does.
"""

from collections.abc import Callable
import threading
from typing import Any
from typing import TypeVar

from cyborg_spdk import exceptions

#: How many may be on their way at once: libvirtd has 20 threads for all of
#: its clients ("max_workers" in libvirtd.conf), Nova among them.
MOST = 4

_Answer = TypeVar('_Answer')


class _Call:

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.answer: Any = None
        self.error: BaseException | None = None

    def run(self, function: Callable[[], Any]) -> None:
        try:
            self.answer = function()
        # It is raised where the call was made.
        except BaseException as exc:
            self.error = exc
        finally:
            self.ended.set()


class Calls:
    """Calls by the name of what they are about; one at a time of each.

    For several threads.

    :param most: how many may be on their way at once.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._going: dict[str, _Call] = {}

    def going(self, name: str) -> bool:
        """Whether a call is still on its way.

        :param name: what it is about.
        """
        with self._lock:
            call = self._going.get(name)
            return call is not None and not call.ended.is_set()

    def do(self, name: str, limit: float, late: str,
           function: Callable[[], _Answer]) -> _Answer:
        """Call a function, and wait for its end for some time.

        :param name: what it is about.
        :param limit: seconds to wait.
        :param late: what to say if it takes longer; always the same words,
            so that it is told once.
        :param function: the function; it goes on after the limit.
        :returns: what it returns.
        :raises HypervisorError: if it takes longer, if an earlier call about
            the same is on its way still, or if too many are.
        """
        call = self._begin(name, late)
        # Not one of a pool: those are waited for at the end of the process.
        threading.Thread(target=call.run, args=(function,), daemon=True,
                         name=f'call: {name}').start()
        if not call.ended.wait(limit):
            raise exceptions.HypervisorError(late)
        with self._lock:
            self._going.pop(name, None)
        if call.error is not None:
            raise call.error
        answer: _Answer = call.answer
        return answer

    def _begin(self, name: str, late: str) -> _Call:
        with self._lock:
            self._going = {one: call for one, call in self._going.items()
                           if not call.ended.is_set()}
            if name in self._going:
                raise exceptions.HypervisorError(late)
            if len(self._going) >= self._most:
                raise exceptions.HypervisorError(
                    'libvirt has not answered yet about '
                    f'{", ".join(sorted(self._going))}; it is asked for no '
                    'more meanwhile')
            call = self._going[name] = _Call()
            return call
