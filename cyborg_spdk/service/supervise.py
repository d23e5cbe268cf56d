# SPDX-License-Identifier: Apache-2.0

"""Supervise one target: start it when it has ended, tell when it hangs."""

from collections.abc import Callable
import dataclasses
import os
import select
import signal
import threading
import time

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import starting
from cyborg_spdk import exceptions
from cyborg_spdk.host.machine import unix_sockets
from cyborg_spdk.host import process
from cyborg_spdk.host.target import start as target_start
from cyborg_spdk import loggers
from cyborg_spdk import rpc
from cyborg_spdk.service import duty as duties
from cyborg_spdk.service import options

LOG = loggers.get(__name__)

#: Connections that a target serves at a time (SPDK lib/jsonrpc,
#: SPDK_JSONRPC_MAX_CONNS); the next ones wait unanswered.
MAX_CONNECTIONS = 64

#: States of a target, as /health shows them.
ANSWERS, STARTING, BUSY, SLOW, HANGS, ENDED = (
    'answers', 'starting', 'busy', 'slow', 'hangs', 'ended')


@dataclasses.dataclass
class _Seen:
    """What was seen of one process of the target."""

    process: process.TargetProcess
    answered: bool = False
    missed: int = 0
    since: float = 0.0


class Supervise(duties.Duty):
    """Ask a target in short intervals on a connection of its own.

    A target whose process ends is started again at once, with the growing
    pauses that the agent and the command keep, too; the lock of its start
    is shared with them.

    :param conf: the configuration.
    :param target: :class:`~cyborg_spdk.conf.Target` on a UNIX socket of this
        host.
    :param started: called when the target was started.
    """

    # The run itself waits: an end of the process is to be seen at once.
    interval = 0.05

    def __init__(self, conf: cfg.ConfigOpts, target: spdk_conf.Target,
                 started: Callable[[spdk_conf.Target], None]) -> None:
        self.name = f'supervise {target.name}'
        self._conf = conf
        self._target = target
        self._started = started
        self._seen: _Seen | None = None
        self._client: rpc.Client | None = None
        self._stopping = threading.Event()
        self._restarts = 0
        self._had_process = False

    def run(self) -> duties.Outcome:
        """Ask the target, or start it; then wait for its end or the time.

        :raises SpdkError: if it cannot be found, or started.
        """
        options_ = self._conf[options.GROUP]
        if self._seen is None or not self._seen.process.alive():
            outcome = self._find_or_start()
        else:
            outcome = self._ask(self._seen, options_.interval)
        if outcome.facts.get('state') == HANGS and options_.abort_hung:
            self._abort()
        self._wait(options_.interval)
        return outcome

    def stop(self) -> None:
        self._stopping.set()

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _find_or_start(self) -> duties.Outcome:
        self.close()
        self._seen = None
        found = process.find(self._target)
        if found is None:
            if not self._target.start:
                return self._ended(
                    f'{self._target.name}: it does not run, and '
                    f'[{self._target.name}] start is false; start it where '
                    'it is managed')
            try:
                running = starting.ensure(self._conf, self._target)
            except exceptions.SpdkError as exc:
                return self._ended(str(exc))
            found = running.process
            if running.started:
                self._restarts += self._had_process
                self._started(self._target)
        if found is None:
            return self._ended()
        self._seen = _Seen(found)
        self._had_process = True
        return self._ask(self._seen, self._conf[options.GROUP].interval)

    def _ended(self, *problems: str) -> duties.Outcome:
        return duties.Outcome(problems, {
            'state': ENDED, 'restarts': self._restarts})

    def _ask(self, seen: _Seen, timeout: float) -> duties.Outcome:
        began = time.monotonic()
        try:
            if self._client is None:
                self._client = rpc.connect(self._target.rpc_address,
                                           timeout=timeout, shared=False)
            self._client.call('spdk_get_version', _timeout=timeout)
        except (exceptions.RpcTimeout, exceptions.ConnectError,
                exceptions.ConnectionLost, exceptions.OutcomeUnknown) as exc:
            return self._missed(seen, exc)
        except exceptions.RpcError:
            pass  # It answers: before v19.04 there is no such method.
        seen.answered, seen.missed = True, 0
        return self._outcome(
            seen, ANSWERS, answer_ms=(time.monotonic() - began) * 1000)

    def _missed(self, seen: _Seen,
                why: exceptions.SpdkError) -> duties.Outcome:
        if not seen.process.alive():
            return self._outcome(seen, ENDED)
        if unix_sockets.accepted(seen.process.rpc_address) >= \
                MAX_CONNECTIONS:
            # Ours is not among those that it serves.
            return self._outcome(seen, BUSY, problem=(
                f'{self._target.name}: all {MAX_CONNECTIONS} connections '
                'that it serves are taken; close some of them'))
        if not seen.answered and process.age(seen.process) < \
                self._conf.spdk.start_timeout:
            return self._outcome(seen, STARTING)
        if not seen.missed:
            seen.since = time.monotonic()
        seen.missed += 1
        if seen.missed < self._conf[options.GROUP].missed_answers:
            return self._outcome(seen, SLOW)
        return self._outcome(seen, HANGS, problem=(
            f'{self._target.name}: process {seen.process.pid} has not '
            f'answered {seen.missed} times in a row ({why}): it hangs. Look '
            f'at its log and its stack (gdb -p {seen.process.pid}), and end '
            f'it with: kill -ABRT {seen.process.pid}; or set '
            f'[{options.GROUP}] abort_hung'))

    def _outcome(self, seen: _Seen, state: str, *, problem: str | None = None,
                 answer_ms: float | None = None) -> duties.Outcome:
        facts: dict[str, object] = {
            'state': state, 'pid': seen.process.pid,
            'missed_answers': seen.missed, 'restarts': self._restarts}
        if answer_ms is not None:
            facts['answer_ms'] = round(answer_ms, 1)
        return duties.Outcome((problem,) if problem else (), facts)

    def _abort(self) -> None:
        """End a target that hangs; SIGABRT leaves a core."""
        if self._seen is None:
            return
        found = self._seen.process
        LOG.error('%s: ending process %d, which hangs', self._target.name,
                  found.pid)
        # A stopped process takes the signal only when it goes on.
        for number in (signal.SIGABRT, signal.SIGCONT, signal.SIGKILL):
            if number == signal.SIGKILL:
                self._wait(self._conf.spdk.stop_timeout)
            if found.alive():
                target_start.send_signal(self._conf, self._target,
                                         found.pid, found.ticks, number)

    def _wait(self, seconds: float) -> None:
        """Wait for the end of the process, for a stop, or for the time."""
        deadline = time.monotonic() + seconds
        fd = self._pidfd()
        try:
            while not self._stopping.is_set():
                left = deadline - time.monotonic()
                # It may have ended before it could be waited for.
                if left <= 0 or self._seen is not None \
                        and not self._seen.process.alive():
                    return
                if fd is None:
                    self._stopping.wait(min(left, 0.5))
                elif select.select([fd], [], [], min(left, 0.5))[0]:
                    return
        finally:
            if fd is not None:
                os.close(fd)

    def _pidfd(self) -> int | None:
        if self._seen is None:
            return None
        try:
            fd = os.pidfd_open(self._seen.process.pid)
        except OSError:
            return None  # It is gone, or Linux is older than 5.3.
        if not self._seen.process.alive():
            os.close(fd)
            return None
        return fd
