# SPDX-License-Identifier: Apache-2.0

"""The parsers of rpc.py's commands, from the package ``spdk``.

That package is the one of PyPI, or the ``python`` directory of an SPDK
source tree (v26.05 and later) that ``PYTHONPATH`` names.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import types

from cyborg_spdk import exceptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    # argparse's own class is generic in its stubs only.
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

#: The name that the parsers' messages shall have.
PROGRAM = "rpc.py"
_DEFAULT_ADDRESS = "/var/tmp/spdk.sock"  # noqa: S108
_DEFAULT_PORT = 5260


def create() -> tuple[argparse.ArgumentParser, Subparsers]:
    """Make the parser of rpc.py's command lines.

    :returns: ``(parser, subparsers)``.
    :raises InvalidValue: if the package spdk is missing, or too old.
    """
    commands = _import("spdk.cli")
    # argparse takes the program's name from here, as in rpc.py.
    saved, sys.argv = sys.argv, [PROGRAM]
    try:
        try:
            script = importlib.import_module("spdk.spdk_rpc")
        except ImportError:
            # A source tree has it as scripts/rpc.py instead.
            return _create(commands)
        made: tuple[argparse.ArgumentParser, Subparsers] = \
            script.create_parser()
        return made
    finally:
        sys.argv = saved


def _create(commands: types.ModuleType) \
        -> tuple[argparse.ArgumentParser, Subparsers]:
    parser = argparse.ArgumentParser(
        prog=PROGRAM, usage="%(prog)s [options]",
        description="Command lines of SPDK's rpc.py")
    parser.add_argument("-s", dest="server_addr", default=_DEFAULT_ADDRESS,
                        help="path of the RPC socket, or IP address")
    parser.add_argument("-p", dest="port", type=int, default=_DEFAULT_PORT,
                        help="port, for an IP address")
    parser.add_argument("-t", dest="timeout", type=float,
                        help="seconds to wait for a reply (60)")
    parser.add_argument("-r", dest="conn_retries", type=int, default=0,
                        help="how often to try again to connect")
    parser.add_argument("-v", dest="verbose", action="store_const",
                        const="INFO", default="ERROR",
                        help="show requests and replies")
    parser.add_argument("--verbose", dest="verbose",
                        choices=["DEBUG", "INFO", "ERROR"],
                        help="level of logging")
    for option in ("--dry-run", "--go-client", "--server"):
        parser.add_argument(option, action="store_true",
                            help="accepted as by rpc.py --server, for which "
                                 "it changes nothing")
    parser.add_argument("--plugin", dest="rpc_plugin",
                        help="module with more commands")
    subparsers = parser.add_subparsers(dest="called_rpc_name", metavar="",
                                       help="RPC methods")
    for member in vars(commands).values():
        if isinstance(member, types.ModuleType) \
                and member.__name__.startswith("spdk.cli."):
            member.add_parser(subparsers)
    return parser, subparsers


def plugin_of(words: list[str]) -> str | None:
    """The plugin that a command line names, or None.

    :param words: its words.
    """
    if not any(word.startswith("--p") for word in words):
        return None
    parser = argparse.ArgumentParser(prog=PROGRAM, add_help=False)
    parser.add_argument("--plugin")
    plugin: str | None = parser.parse_known_args(words)[0].plugin
    return plugin


def load_plugin(name: str, subparsers: Subparsers) -> bool:
    """Add the commands of a plugin; what is wrong with it is printed.

    :param name: name of a module.
    :param subparsers: what to add them to.
    :returns: whether it was done.
    """
    try:
        plugin = importlib.import_module(name)
    except ModuleNotFoundError:
        print(f"Module {name} not found")
        return False
    try:
        plugin.spdk_rpc_plugin_initialize(subparsers)
    except AttributeError:
        print(f"Module {name} does not contain "
              "'spdk_rpc_plugin_initialize' function")
        return False
    return True


def with_hints(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The parser, with rpc.py's hints at names that are similar."""
    hinting: argparse.ArgumentParser = _import(
        "spdk.rpc.helpers").hint_rpc_name(parser)
    return hinting


def check_called_name(name: str) -> None:
    """Say that a command's name is deprecated, where it is."""
    _import("spdk.rpc.helpers").check_called_name(name)


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise exceptions.InvalidValue(
            "package", "spdk", "rpc.py's command lines need it, in "
            "v26.05 or later: pip install 'spdk>=26.5', or name the "
            "python directory of an SPDK source tree in PYTHONPATH"
        ) from None
