# SPDX-License-Identifier: Apache-2.0

"""Which methods a target has, and how a call finds its function.

A function is registered under SPDK's current name. Which names a release
and a program have, which parameters each takes and what is answered when
they are refused is data; see ``data/``.
"""

import errno
import os

from spdk_simulator import errors
from spdk_simulator.jsonrpc import decode
from spdk_simulator import release as releases

FUNCTIONS = {}

# Old methods that are no alias of the current one in any release.
_SUCCESSORS = {
    "bdev_nvme_get_controllers": "bdev_nvme_get_controllers",
}


def method(*names):
    """Register a function ``f(target, params, request)`` for methods.

    It returns the result, or raises :class:`errors.CallError`, or returns
    :data:`PENDING` and answers the request later.
    """
    def register(function):
        for name in names:
            FUNCTIONS[name] = function
        return function
    return register


EARLY = {}


def early(*names):
    """Register a function ``f(target, params)`` that may refuse a call of
    methods before the parameters are decoded.
    """
    def register(function):
        for name in names:
            EARLY[name] = function
        return function
    return register


class _Pending:
    """The answer comes later."""


PENDING = _Pending()


class Method:
    """One method of one release.

    :ivar name: as called.
    :ivar canonical: the current name, under which the function is found.
    :ivar startup: callable before the framework is initialized.
    :ivar runtime: callable afterwards.
    :ivar deprecated: the method that this is a deprecated alias of, or ''.
    """

    def __init__(self, name, canonical, spec, release, deprecated=""):
        self.name = name
        self.canonical = canonical
        self.deprecated = deprecated
        self.warned = False
        state = spec.get("state", "both")
        self.startup = state != "runtime"
        self.runtime = state != "startup"
        # Without a table the method does not look at its parameters.
        self.free = "fields" not in spec
        self.fields = spec.get("fields", ())
        if self.fields:
            self.fields = resolve(self.fields, release)
        self.relaxed = spec.get("relaxed", False)
        self.absent_ok = spec.get("absent_ok", False)
        code, text = spec.get("error") or (errors.INVALID_PARAMS,
                                           "Invalid parameters")
        if code == "rc":
            # What the decoder returned is taken for an error number.
            code, text = -errno.EPERM, os.strerror(errno.EPERM)
        if text.startswith("spdk_strerror"):
            text = os.strerror(errno.EINVAL)
        if "%" in text:
            text = text.replace("%s", canonical)
        if not isinstance(code, int):
            code = -errno.EINVAL
        self.refusal = (code, text)
        self.function = FUNCTIONS.get(canonical)
        self.early = EARLY.get(canonical)

    def params(self, value):
        """Decode parameters.

        :param value: the ``params`` member, or None.
        :returns: dict; a parameter that was not given is not in it.
        :raises errors.CallError: as the release answers what it refuses.
        """
        if self.free:
            return value if isinstance(value, dict) else {}
        if self.fields is None:
            if value is not None:
                raise errors.CallError(*self.refusal)
            return {}
        if value is None:
            if self.absent_ok or not self.fields:
                return {}
            raise errors.CallError(*self.refusal)
        try:
            return decode.obj(value, self.fields, self.relaxed)
        except decode.Refused:
            raise errors.CallError(*self.refusal) from None


def _spec(name, release):
    intervals = releases.data("parameters")["methods"].get(name, ())
    for first, last, spec in intervals:
        if release.covers(first, last):
            return spec
    return None


def fields(name, release):
    """Names of the parameters that a method takes.

    :returns: None if the release has no such method.
    """
    spec = _spec(name, release)
    if spec is None:
        return None
    return {name for name, _, _ in spec.get("fields") or ()}


def _alias_of(name):
    """The method that a name became an alias of in v19.10, or itself."""
    aliases = releases.data("parameters")["aliases"]
    while name in aliases:
        name = aliases[name][0][0]
    return name


def resolve(fields, release):
    """Replace decoders' names by their functions.

    A name that is a table of its own (an object or an array within the
    parameters) becomes a function over what the release has there.
    """
    return [(name, _decoder(kind, release), optional)
            for name, kind, optional in fields]


def _decoder(kind, release):
    for first, last, spec in releases.data("parameters")["nested"].get(
            kind, ()):
        if release.covers(first, last):
            return _table(spec, release)
    if release < 2605 and kind in decode.WRAPPING:
        return decode.WRAPPING[kind]
    try:
        return decode.DECODERS[kind]
    except KeyError:
        # A type of a method that is not simulated: any value will do.
        return _any


def _any(value):
    return value


def _table(spec, release):
    if "choice" in spec:
        return decode.choice(*spec["choice"],
                             anycase=spec.get("anycase", False))
    if "array" in spec:
        element = _decoder(spec["array"], release)
        if "or_array_of" in spec:
            return lambda value: _plain(value, element, spec["or_array_of"])
        return lambda value: decode.array(value, element, spec.get("limit"))
    fields = resolve(spec["fields"], release)
    relaxed = spec.get("relaxed", False)
    return lambda value: decode.obj(value, fields, relaxed)


def _plain(value, element, name):
    """Read an array of objects, or one of strings, which are then this
    member of each.
    """
    try:
        return decode.array(value, element)
    except decode.Refused:
        return [{name: item} for item in decode.array(value, decode.string)]


class Methods:
    """The methods of one target, in the order in which it lists them.

    :param app: the program: ``"nvmf_tgt"``, ``"vhost"``, ...
    :param release: a :class:`.release.Release`.
    :param allowed: names of ``--rpcs-allowed``, or None for all.
    """

    def __init__(self, app, release, allowed=None):
        data = releases.data("methods")
        self.table = {}
        self.aliases = []
        self.names = []
        for name in self._order(data, app, release):
            spec = _spec(name, release)
            if spec is not None:
                canonical = _SUCCESSORS.get(name, _alias_of(name))
                self.table[name] = Method(name, canonical, spec,
                                          release)
                self.names.append(name)
        recorded = data["recorded_aliases"].get(release.recorded, {})
        order = list(recorded.get(app, recorded.get("nvmf_tgt", ())))
        aliases = releases.data("parameters")["aliases"]
        order += [name for name in aliases if name not in order]
        for name in order:
            for target, first, last in aliases.get(name, ()):
                if release.covers(first, last) and target in self.table:
                    spec = _spec(target, release)
                    self.table[name] = Method(name, target, spec,
                                              release, target)
                    self.aliases.append(name)
        if release < 1910:
            # An alias is a method as any other.
            self.names += self.aliases
            self.aliases = []
        if allowed is not None:
            self._restrict(allowed)

    def _order(self, data, app, release):
        apps = [app]
        if app == "spdk_tgt":
            apps += ["nvmf_tgt", "vhost", "iscsi_tgt"]
        if app in data["recorded"].get(release.tag, ()):
            return data["recorded"][release.tag][app]
        tags = [release.recorded]
        tags += [tag for tag in data["recorded"] if tag not in tags]
        seen = {}
        for tag in tags:
            for name in apps:
                seen.update(dict.fromkeys(
                    data["recorded"][tag].get(name, ())))
        for name in apps:
            seen.update(dict.fromkeys(data["linked"].get(name, ())))
        out = [{name for name, interval in data["left_out"].get(
            name, {}).items() if release.covers(*interval)}
            for name in apps[-3:]]
        return [name for name in seen if not all(
            name in names for names in out)]

    def _restrict(self, allowed):
        self.names = [name for name in self.names if name in allowed]
        self.aliases = [name for name in self.aliases if name in allowed]
        self.table = {name: self.table[name]
                      for name in self.names + self.aliases}
