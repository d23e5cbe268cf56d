# SPDX-License-Identifier: Apache-2.0

"""The words that may come next on a command line, for completion.

A shell asks for them at each press of a key, so nothing is imported that is
not needed, and no target is asked.
"""

import argparse
from collections.abc import Iterator
import contextlib
import sys
from typing import Any

#: Commands whose arguments are names of targets.
_TARGETS = ('status', 'stats', 'target ')


def following(words: list[str]) -> list[str]:
    """What may follow.

    :param words: of the command line, without the program; the last one is
        what was begun, perhaps ''.
    :returns: in order.
    """
    *before, begun = words or ['']
    found = set(_of_rpc(before) if before[:1] == ['rpc']
                else _of_commands(before, begun))
    return sorted(word for word in found if word.startswith(begun))


def _of_commands(before: list[str], begun: str) -> Iterator[str]:
    from cyborg_spdk.cli import manager
    commands = manager.Manager('cyborg_spdk.cli')
    for name in commands.commands:
        parts = name.split()
        if parts[:len(before)] == before and len(parts) > len(before):
            yield parts[len(before)]
    try:
        factory, name, rest = commands.find_command(before)
    except ValueError:
        return
    if begun.startswith('-'):
        # Those of a command are known to its parser alone.
        app: Any = argparse.Namespace(NAME='cyborg-spdk')
        parser = factory(app, None).get_parser(name)
        yield from (option for action in parser._actions
                    for option in action.option_strings)
    elif rest[-1:] in (['-t'], ['--target']) or name.startswith(_TARGETS):
        yield from _targets()
    if name in ('units plan', 'units apply'):
        yield from _pools()


def _of_rpc(before: list[str]) -> Iterator[str]:
    from cyborg_spdk.rpc.protocol import catalogue
    if len(before) == 1 or before[-2] in ('-s', '--address', '-t',
                                          '--timeout'):
        yield from (method for method in catalogue.data()['methods']
                    if catalogue.current_name(method) == method)
        yield from ('--address', '--batch', '--help', '--server')


def _targets() -> Iterator[str]:
    from cyborg_spdk import conf as spdk_conf
    with contextlib.suppress(Exception):
        yield from (target.name for target in spdk_conf.targets(_conf()))


def _pools() -> Iterator[str]:
    from cyborg_spdk.units.declared import model
    with contextlib.suppress(Exception):
        yield from model.load(_conf()).pools


def _conf() -> Any:
    from oslo_config import cfg

    from cyborg_spdk.cli import conf_files
    conf_files.load(cfg.CONF, [], [], [])
    return cfg.CONF


def main(argv: list[str]) -> int:
    """Print the words, one a line.

    :param argv: the words of the command line.
    :returns: 0.
    """
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(''.join(f'{word}\n' for word in following(argv)))
    return 0
