# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk rpc``: calls from the command line.

It is started often, by shell scripts, so it imports little.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys

from cyborg_spdk.cli import programs
from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk import text as texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cyborg_spdk.rpc import address as addresses
    from cyborg_spdk.rpc import client as clients

#: Where SPDK's programs listen if nothing else is said.
DEFAULT_ADDRESS = "/var/tmp/spdk.sock"  # noqa: S108

#: Set to 1 it is --share-core, for test suites that cannot change a command.
SHARE_CORE = "CYBORG_SPDK_RPC_SHARE_CORE"

_EPILOG = """\
A value is JSON if it can be read as such (4096, true, '["a","b"]',
'{"trtype":"TCP"}'), else text; a parameter that SPDK takes as text
(serial_number, trsvcid, ...) is always text. key:=value is always JSON, and
a.b=value sets b inside of a. Methods and parameters have the names of the
newest SPDK; an older target gets the names that it knows.

  cyborg-spdk rpc bdev_malloc_create --help
  cyborg-spdk rpc bdev_malloc_create name=M0 num_blocks=2048 block_size=512
  cyborg-spdk rpc -s ssh://root@storage1/var/tmp/spdk.sock bdev_get_bdevs
  cyborg-spdk rpc --batch calls.txt

METHOD --help prints what a method takes in which release; it asks no target.
A batch file holds one call a line, as above or as a JSON object with
"method" and "params"; blank lines and lines that begin with # are left out.
The calls are sent together and must not depend on each other, unless
--in-order is given; each result is one line of JSON.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cyborg-spdk rpc", epilog=_EPILOG,
        description="Call methods of an SPDK target.",
        formatter_class=_formatter)
    parser.add_argument(
        "-s", "--address", metavar="ADDRESS", default=None,
        help="/path, tcp://host:port or ssh://user@host:port/path of the "
             f"target's RPC socket (default: {DEFAULT_ADDRESS})")
    parser.add_argument(
        "-t", "--timeout", metavar="SECONDS", type=_seconds, default=None,
        help="seconds to wait for a reply (default: 30)")
    parser.add_argument(
        "-v", "--verbose", action="store_true",
        help="show on standard error how long it took and which target "
             "answered")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--batch", metavar="FILE",
        help="make the calls that FILE lists; - is standard input")
    what.add_argument(
        "--server", action="store_true",
        help="read command lines of SPDK's rpc.py from standard input, as "
             "rpc.py --server does, and end the output of each with "
             "**STATUS=0 or **STATUS=1 (needs the package spdk)")
    parser.add_argument(
        "--share-core", action="store_true",
        default=os.environ.get(SHARE_CORE, "") not in ("", "0"),
        help="with --server: run on the core of a local target that polls on "
             "one, which halves the wait for a reply and takes up to a "
             "millisecond of that core a command: not for a target with "
             f"traffic (default: whether {SHARE_CORE} is 1)")
    parser.add_argument(
        "--in-order", action="store_true",
        help="with --batch: make each call when the one before it has "
             "succeeded")
    parser.add_argument(
        "--plugin", metavar="MODULE",
        help="module with more commands, as for rpc.py; METHOD and what "
             "follows is then a command line of rpc.py")
    parser.add_argument("method", nargs="?", metavar="METHOD",
                        help="the method to call")
    parser.add_argument("params", nargs=argparse.REMAINDER,
                        metavar="key=value",
                        help="its parameters; or --help, to be told them")
    return parser


def _formatter(prog: str) -> argparse.HelpFormatter:
    # With a width of its own, argparse does not import half a library to
    # ask the terminal for one.
    return argparse.RawDescriptionHelpFormatter(prog, width=78)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(
            f"{text!r}: give a number of seconds above 0")
    return value


def main(argv: list[str]) -> int:
    """Run ``cyborg-spdk rpc``.

    :param argv: the arguments behind ``rpc``.
    :returns: exit status: 0 if all went well, 1 if a call failed, 2 for a
        command line that cannot be understood.
    """
    parser = _parser()
    try:
        args = parser.parse_args(argv)
        _check(parser, args)
    except SystemExit as exc:
        return 2 if exc.code else 0
    try:
        return _run(args)
    except exceptions.InvalidValue as exc:
        print(f"cyborg-spdk rpc: {exc}", file=sys.stderr)
        return 2
    except exceptions.SpdkError as exc:
        print(f"cyborg-spdk rpc: {exc}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read the output has gone: say no more, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _check(parser: argparse.ArgumentParser,
           args: argparse.Namespace) -> None:
    if args.server or args.batch:
        if args.method:
            parser.error("--server and --batch take no METHOD")
    elif not args.method:
        parser.error("give a METHOD, --batch FILE or --server")
    if args.in_order and not args.batch:
        parser.error("--in-order goes with --batch")
    if args.plugin and args.batch:
        parser.error("--plugin goes with --server or a command line of "
                     "rpc.py")


def _run(args: argparse.Namespace) -> int:
    if args.server or args.batch:
        gc.enable()
    if args.server or args.plugin:
        from cyborg_spdk.cli.rpc import server as rpc_server
        server = rpc_server.Server(
            args.address and programs.absolute(args.address), args.timeout,
            args.plugin, args.share_core)
        if args.server:
            return server.serve(sys.stdin)
        return server.run([args.method, *args.params])
    if args.method and not {"-h", "--help"}.isdisjoint(args.params):
        from cyborg_spdk.cli.rpc import description
        print(description.text(args.method), flush=True)
        return 0
    address = rpc.parse_address(
        programs.absolute(args.address or DEFAULT_ADDRESS))
    params: dict[str, Any] = {}
    if args.batch or args.params:
        # Costs time to import, and many calls take no parameters.
        from cyborg_spdk.cli.rpc import values as rpc_values
    if args.batch:
        requests = rpc_values.read_batch(args.batch, args.timeout)
        return _batch(address, requests, args)
    if args.params:
        params = rpc_values.parse_params(args.method, args.params)
    client = rpc.connect(address, timeout=args.timeout)
    result = client.request(rpc.Request(args.method, params, args.timeout))
    if not isinstance(result, str):
        result = _as_json(result, indent=2)
    elif sys.stdout.isatty():
        # Who reads it by a pipe wants the very text.
        result = texts.printable(result)
    print(result, flush=True)
    if args.verbose:
        _say_who(client)
    return 0


def _batch(address: addresses.Address, requests: list[rpc.Request],
           args: argparse.Namespace) -> int:
    if not requests:
        return 0
    client = rpc.connect(address, timeout=args.timeout)
    groups = [[one] for one in requests] if args.in_order else [requests]
    failed = 0
    for group in groups:
        for result in client.call_many(group):
            if isinstance(result, Exception):
                failed += 1
                print(f"cyborg-spdk rpc: {result}", file=sys.stderr)
                result = None
            print(_as_json(result))
        if failed and args.in_order:
            break
    sys.stdout.flush()
    if args.verbose:
        _say_who(client)
    return 1 if failed else 0


def _as_json(value: Any, indent: int | None = None) -> str:
    """A value as JSON that does nothing to a terminal."""
    return texts.printable_json(
        json.dumps(value, indent=indent, ensure_ascii=False))


def _say_who(client: clients.Client) -> None:
    peer = client.peer()
    pid = f", process {peer[0]}" if peer else ""
    print(f"{client.address}: SPDK {client.version or 'of unknown version'}"
          f"{pid}", file=sys.stderr)
