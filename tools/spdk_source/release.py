# SPDX-License-Identifier: Apache-2.0
"""What one release of SPDK serves."""

from collections.abc import Iterable
import dataclasses
import json
from typing import Any

import yaml

from spdk_source import by_hand
from spdk_source import checkout
from spdk_source import csource
from spdk_source import decoders
from spdk_source import handlers
from spdk_source import schema

#: The template that SPDK's build makes decoders of its schema with.
_TEMPLATE = 'include/spdk_internal/rpc_autogen.h.jinja2'
_STATES = {'SPDK_RPC_STARTUP': 'startup', 'SPDK_RPC_RUNTIME': 'runtime'}

Spec = dict[str, Any]


@dataclasses.dataclass
class Release:
    """The methods of one release.

    :ivar tag: its name.
    :ivar methods: name -> what :meth:`handlers.Handlers.spec` says, with
        ``state`` where the release has states.
    :ivar aliases: deprecated name -> method.
    :ivar nested: decoder -> what it takes, if that has parts of its own:
        ``fields``, ``array`` (and ``limit``) or ``choice``.
    :ivar plain: decoder of a release's own -> SPDK's type that it reads.
    """

    tag: str
    methods: dict[str, Spec]
    aliases: dict[str, str]
    nested: dict[str, Spec]
    plain: dict[str, str]


class Reader:
    """Reads releases from one checkout.

    :param source: the checkout.
    """

    def __init__(self, source: checkout.Checkout) -> None:
        self._source = source
        self._cache: dict[str, csource.Source] = {}

    def _parsed(self, blob: str) -> csource.Source:
        # Most files are the same in many releases.
        if blob not in self._cache:
            self._cache[blob] = csource.parse(self._source.text(blob))
        return self._cache[blob]

    def schema(self, revision: str) -> dict[str, Any]:
        """SPDK's schema of a revision, or {} before it generated code."""
        if not self._source.file(revision, _TEMPLATE):
            return {}
        text = self._source.file(revision, 'schema/schema.yaml')
        if text:
            loaded: dict[str, Any] = yaml.safe_load(text)
            return loaded
        loaded = json.loads(self._source.file(revision,
                                              'schema/schema.json'))
        return loaded

    def read(self, tag: str, revision: str) -> Release:
        """Read one release.

        :param tag: its name.
        :param revision: the tag or commit that it is read from.
        """
        sources = {path: self._parsed(blob) for path, blob
                   in sorted(self._source.blobs(revision).items())}
        described = self.schema(revision)
        known = handlers.Handlers(sources, schema.tables(described))
        methods: dict[str, Spec] = {}
        aliases: dict[str, str] = {}
        for path, source in sources.items():
            for method, function, states in source.registered:
                methods[method] = {**_state(states),
                                   **(known.spec(path, function) or {})}
            aliases.update(source.aliases)
        parts = _Parts(sources, known, schema.nested(described),
                       schema.plain(described))
        parts.add(kind for spec in methods.values()
                  for _, kind, _ in spec.get('fields') or ())
        for extra in by_hand.EXTRA_TABLES.values():
            parts.add(kind for name in extra for source in sources.values()
                      for _, kind, _ in source.tables.get(name, ()))
        _add_extra(methods, sources)
        return Release(tag, methods, aliases, parts.nested, parts.plain)


def _state(states: str) -> dict[str, str]:
    words = [_STATES[word.strip()] for word in states.split('|')
             if word.strip()]
    if not words:
        return {}
    return {'state': words[0] if len(words) == 1 else 'both'}


def _add_extra(methods: dict[str, Spec],
               sources: dict[str, csource.Source]) -> None:
    """Add what others read from a method's parameters (``extra``)."""
    for method, tables in by_hand.EXTRA_TABLES.items():
        spec = methods.get(method)
        if spec is None or not spec.get('relaxed'):
            continue
        own = {name for name, _, _ in spec['fields']}
        spec['extra'] = [
            list(field) for table in tables for source in sources.values()
            for field in source.tables.get(table, ())
            if field[0] not in own]


class _Parts:
    """Describes decoders, and those that they use."""

    def __init__(self, sources: dict[str, csource.Source],
                 known: handlers.Handlers, generated: dict[str, Spec],
                 deprecated: dict[str, str]) -> None:
        self._sources = sources
        self._known = known
        self._generated = generated
        self._deprecated = deprecated
        self.nested: dict[str, Spec] = {}
        self.plain: dict[str, str] = {}

    def add(self, kinds: Iterable[str]) -> None:
        """Describe decoders by their names."""
        for kind in kinds:
            if kind in self.nested or kind in self.plain:
                continue
            if kind in self._deprecated:
                self.plain[kind] = self._deprecated[kind]
                continue
            spec = self._generated.get(kind) or self._read(kind)
            if spec is not None:
                self.nested[kind] = spec
                self.add(inner for _, inner, _ in spec.get('fields', ()))
                self.add([spec['array']] if 'array' in spec else [])

    def _read(self, kind: str) -> Spec | None:
        for path, source in self._sources.items():
            function = source.functions.get(kind)
            if function is not None:
                spec = decoders.describe(self._known, path, function)
                if spec is None:
                    self.plain[kind] = decoders.plain(function.body)
                return spec
        return None
