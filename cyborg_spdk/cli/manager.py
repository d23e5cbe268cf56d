# SPDX-License-Identifier: Apache-2.0

"""The commands by name: imported when one is run, and not before."""

import ast
from collections.abc import Iterator
import functools
import importlib.metadata
import importlib.util
import inspect
from typing import Any

from cliff import commandmanager


class Manager(commandmanager.CommandManager):
    """cliff's own imports all commands, and with them all libraries."""

    def load_commands(self, namespace: str) -> None:
        """Take the commands of a namespace of entry points.

        :param namespace: its name.
        """
        self.group_list.append(namespace)
        for entry in importlib.metadata.entry_points(group=namespace):
            self.commands[entry.name.replace('_', ' ')] = entry

    def find_command(self, argv: list[str]) -> tuple[Any, str, list[str]]:
        """A command by its words.

        :param argv: of the command line.
        :returns: (class, name, words that are left).
        :raises ValueError: if there is none.
        """
        factory, name, rest = super().find_command(argv)
        # cliff's own reads the metadata of every installed package, to tell
        # below the help text which plugin a command is from.
        setattr(factory, 'get_epilog', _epilog)  # noqa: B010
        return factory, name, rest

    def summaries(self) -> Iterator[tuple[str, str]]:
        """Names of the commands and what each does, in order.

        Read from their sources, which is quicker than to import them.
        """
        for name, entry in sorted(self.commands.items()):
            value = getattr(entry, 'value', None)
            if value is None:
                # cliff's own, which older releases of it hold as a class.
                yield name, (inspect.getdoc(entry.load())
                             or '').partition('\n')[0]
                continue
            module, _, attribute = value.partition(':')
            yield name, _docstrings(module).get(attribute, '')


def _epilog(self: Any) -> str:
    """What is below the help text of a command."""
    return self._epilog or ''


@functools.lru_cache
def _docstrings(module: str) -> dict[str, str]:
    """First lines of the docstrings of the classes of a module."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return {}
    with open(spec.origin, encoding='utf-8') as stream:
        tree = ast.parse(stream.read())
    return {node.name: (ast.get_docstring(node) or '').partition('\n')[0]
            .rstrip('.')
            for node in tree.body if isinstance(node, ast.ClassDef)}
