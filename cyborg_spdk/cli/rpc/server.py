# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk rpc --server``: the protocol of SPDK's ``rpc.py --server``.

A command line of ``rpc.py`` comes in on standard input; its output goes out,
then a line ``**STATUS=0`` or ``**STATUS=1``. The command lines are parsed,
and their results printed, by the parsers of the package ``spdk`` themselves;
behind them is our client with its connections kept open. What rpc.py prints
on standard output is printed here byte for byte.
"""

from __future__ import annotations

import logging
import os
import select
import shlex
import sys
import time

from cyborg_spdk.cli.rpc import client as rpc_client
from cyborg_spdk.cli.rpc import parser as rpc_parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

_PROGRAM = rpc_parser.PROGRAM
# How long to look for the next command line without sleeping, in seconds.
_AWAKE = 0.00025


class Server:
    """Runs command lines of ``rpc.py``.

    :param address: default of their ``-s``, or None for rpc.py's own.
    :param timeout: default of their ``-t`` in seconds, or None.
    :param plugin: name of a module with more commands, or None.
    :param share_core: run on the core of a local target that polls on one.
    :raises InvalidValue: if the package spdk is missing.
    """

    def __init__(self, address: str | None = None,
                 timeout: float | None = None,
                 plugin: str | None = None,
                 share_core: bool = False) -> None:
        self._share_core = share_core
        self._parser, self._subparsers = rpc_parser.create()
        self._plugins: set[str] = set()
        self._cores = os.sched_getaffinity(0)
        if plugin is not None:
            self._load_plugin(plugin)
        self._parser = rpc_parser.with_hints(self._parser)
        if address is not None:
            self._parser.set_defaults(server_addr=address)
        if timeout is not None:
            self._parser.set_defaults(timeout=timeout)

    def serve(self, lines: TextIO) -> int:
        """Run command lines until there are no more.

        :param lines: a text file.
        :returns: 0.
        """
        while line := lines.readline():
            try:
                status = self.run(shlex.split(line))
            except ValueError as exc:
                print(f"{_PROGRAM}: {exc}: {line.strip()}", file=sys.stderr)
                status = 1
            print(f"**STATUS={status}", flush=True)
            if self._share_core:
                _stay_awake(lines)
        return 0

    def run(self, words: list[str]) -> int:
        """Run one command line.

        :param words: its words.
        :returns: 0, or 1 if it failed; its output is written then.
        """
        try:
            self._load_plugin(rpc_parser.plugin_of(words))
            args = self._parser.parse_args(words)
        except SystemExit:
            return 1
        if not hasattr(args, "func"):
            print(f"{_PROGRAM}: no command given", file=sys.stderr)
            return 1
        try:
            args.client = rpc_client.connect(
                args.server_addr, args.port, args.timeout,
                args.conn_retries, getattr(logging, args.verbose.upper()))
            if self._share_core:
                _move_beside(args.client.peer(), self._cores)
            args.func(args)
            rpc_parser.check_called_name(args.called_rpc_name)
        except rpc_client.failure() as exc:
            print(exc.message)
            return 1
        except SystemExit as exc:
            return 1 if exc.code else 0
        except (OSError, ValueError, TypeError, AttributeError,
                KeyError) as exc:
            # rpc.py would end here with a traceback, and its reader wait.
            print(f"{_PROGRAM}: {type(exc).__name__}: {exc}",
                  file=sys.stderr)
            return 1
        return 0

    def _load_plugin(self, name: str | None) -> None:
        # A command line may name a module that was not loaded yet.
        if name is not None and name not in self._plugins \
                and rpc_parser.load_plugin(name, self._subparsers):
            self._plugins.add(name)


def _move_beside(peer: tuple[int, int, int] | None,
                 cores: set[int]) -> None:
    """Run on the core of a target that polls, where that is possible.

    A target looks at its sockets every 4 ms: it sends what is ready, then
    takes what is there. Who waits for a reply on the target's own core runs
    the moment that it is sent, before the target goes on, so that his next
    request is taken in the same look; from any other core it comes too late
    and waits 4 ms for the next one. It costs the target what a command
    costs here, less than a millisecond.

    :param peer: ``(pid, uid, gid)`` of the target, or None.
    :param cores: those that this process may use (set).
    """
    wanted = cores
    try:
        beside = os.sched_getaffinity(peer[0]) if peer else cores
        if peer and len(beside) == 1 and beside <= cores \
                and os.sched_getscheduler(peer[0]) == os.SCHED_OTHER:
            wanted = beside
        if os.sched_getaffinity(0) != wanted:
            os.sched_setaffinity(0, wanted)
    except OSError:
        # It has ended, or this is not allowed: it works without.
        return


def _stay_awake(lines: TextIO) -> None:
    """Wait a moment for the next command line without giving up the core.

    Whoever drives a server often has the next command at once; if this
    process slept, the target on its core would go on in the meantime.
    """
    poll = select.poll()
    poll.register(lines, select.POLLIN)
    end = time.monotonic() + _AWAKE
    while not poll.poll(0) and time.monotonic() < end:
        pass
