# SPDX-License-Identifier: Apache-2.0

"""RPC names and parameters across SPDK releases, as data.

A caller uses the names of the newest release. What a target has is learnt
from itself (:class:`TargetMethods`), once per connection and only where it
matters: a target that does not know a name says so (-32601) and does nothing,
so a call goes out under its current name at once, and is looked up when it
was refused. Only a call with a parameter that came or went while the method
had its present name waits until the release is known, since SPDK refuses a
call for any parameter that it does not know.
The table is ``methods.json``.
"""

import functools
import json
import os

from cyborg_spdk import exceptions
from cyborg_spdk.rpc.protocol import limits
from cyborg_spdk.rpc.protocol import version as versions


@functools.cache
def data():
    """The table (dict); its ``source`` member says where it is from."""
    path = os.path.join(os.path.dirname(__file__), "methods.json")
    with open(path, encoding="ascii") as file:
        return json.load(file)


@functools.cache
def text_params():
    """Names of parameters that SPDK takes as text everywhere (frozenset).

    A command line cannot tell the port ``4420`` from the number; SPDK does.
    """
    return frozenset(data()["text"])


@functools.cache
def _release(tag):
    return versions.Version.parse(tag)


@functools.cache
def _current_names():
    return {former: name for name, formers in data()["renamed"].items()
            for former in reversed(formers)}


@functools.cache
def _varying(method):
    """Parameters that not every release with this name has."""
    table = data()["params"].get(method)
    if not table:
        return frozenset()
    begin = _release(data()["methods"][method][0][0])
    return frozenset(
        param for param, (first, last) in table.items()
        if last or (first and _release(first) > begin))


def _names(params):
    """Names of parameters, and ``name.member`` for those of an object."""
    for name, value in params.items():
        yield name
        if isinstance(value, dict):
            for member in value:
                yield f"{name}.{member}"


def former_names(method):
    """Names that a method had in older releases, the newest first."""
    return data()["renamed"].get(method, ())


def varies(method, params):
    """Whether a call has parameters that depend on the release.

    :param method: name in the newest release.
    :param params: parameters, or None.
    """
    if not params or not isinstance(params, dict):
        return False
    varying = _varying(method)
    return bool(varying) and not varying.isdisjoint(_names(params))


def guess_version(names):
    """The release of a target that does not tell it (before v19.04).

    :param names: the methods that it serves, or None.
    :returns: the oldest :class:`~cyborg_spdk.rpc.protocol.version.Version`
        that has all of them, or None if there is none.
    """
    if not names:
        return None
    table = data()["methods"]
    ranges = [table[name] for name in names if name in table]
    for tag in data()["releases"]:
        release = _release(tag)
        if all(any(_within(release, *one) for one in some)
               for some in ranges):
            return release
    return None


def _within(release, first, last):
    return (first is None or release >= _release(first)) and \
        (last is None or release <= _release(last))


@functools.cache
def _known():
    return tuple(_release(tag) for tag in data()["releases"])


def _settled(release):
    """The release of the table that a target is taken for.

    A build on the way to a release (``v26.09-pre``) is taken for that one,
    and so is a builder's own (``v26.05-3.el9``); a maintenance release that
    the table does not know, for the newest one of its series that it knows;
    any other for itself, so that one that is newer than the table has what
    the newest in it has.
    """
    release = release._replace(suffix="")
    if release not in _known():
        for one in reversed(_known()):
            if one[:2] == release[:2]:
                return one
    return release


def _candidates(release):
    """The releases of the table that a target may have the parameters of.

    A build on the way to a release may still have what that one drops, and
    may not have yet what it adds: both it and the one before it count, and
    the target has the last word.
    """
    settled = _settled(release)
    if release.is_early:
        before = [one for one in _known() if one < release]
        return (settled, *before[-1:])
    return (settled,)


class TargetMethods:
    """What one target has.

    :ivar methods: names that it serves (frozenset), or None if it cannot
        tell: before v17.10, or with ``--rpcs-allowed``.
    :ivar version: :class:`~cyborg_spdk.rpc.protocol.version.Version`, or None.
    """

    def __init__(self, methods, version):
        self.methods = methods
        self.version = version

    @property
    def has_batches(self):
        """Whether the target takes JSON-RPC batches."""
        return limits.has_batches(self.version)

    @property
    def reads_one(self):
        """Whether it executes one request each time it reads."""
        return limits.reads_one(self.version)

    def limits(self):
        """``(bytes, JSON values)`` that a request may have."""
        return limits.of(self.version)

    def name_of(self, method):
        """The name that this target has for a method.

        :param method: its name in the newest release.
        :returns: a name, or None if it has none.
        """
        if self.methods is None or method in self.methods:
            return method
        for name in former_names(method):
            if name in self.methods:
                return name
        return None

    def has(self, method):
        """Whether the target serves a method, under whatever name."""
        return self.methods is not None and self.name_of(method) is not None

    def supports(self, method, param):
        """Whether the target's method takes a parameter.

        A build on the way to a release is taken for that one here.

        :param method: name in the newest release.
        :param param: name of the parameter there; ``name.member`` for a
            member of one that is an object.
        """
        if not self.has(method):
            return False
        first, last = data()["params"].get(method, {}).get(
            param, (None, None))
        return self.version is None or \
            _within(_settled(self.version), first, last)

    def _misses(self, method, param):
        """Why a parameter cannot be sent, or None if it can."""
        first, last = data()["params"].get(method, {}).get(
            param, (None, None))
        if self.version is None or any(
                _within(one, first, last)
                for one in _candidates(self.version)):
            return None
        if last is not None and self.version > _release(last):
            return f"{param} was dropped after {last}"
        return f"{param} needs {first}"

    def translate(self, method, params):
        """Name and parameters as this target wants them.

        :param method: name in the newest release.
        :param params: parameters in the newest release, or None.
        :returns: ``(name, params)``.
        :raises MethodNotFound: if the target has no such method.
        :raises InvalidParams: if it has no such parameter.
        """
        name = self.name_of(method)
        if name is None:
            raise exceptions.rpc_error(-32601, "Method not found", method,
                                       params, self.explain(method))
        if not params or not isinstance(params, dict) \
                or self.version is None:
            return name, params
        if method in data()["params"]:
            for param in _names(params):
                reason = self._misses(method, param)
                if reason is not None:
                    raise exceptions.rpc_error(
                        -32602, "Invalid parameters", method, params,
                        f"{reason}, the target is {self.version}; it was "
                        "not sent")
        return name, self._former_params(method, params)

    def _former_params(self, method, params):
        table = data()["param_names"].get(method)
        if not table:
            return params
        renamed = {}
        for param, value in params.items():
            for former, first, last in table.get(param, ()):
                if _within(_settled(self.version), first, last):
                    param = former
            renamed[param] = value
        return renamed

    def next_name(self, method: str, refused: str) -> str | None:
        """Another name to try for a call whose name was refused.

        Only for a target that cannot list its methods.

        :param method: its name in the newest release.
        :param refused: the name that was refused.
        :returns: a name, or None.
        """
        if self.methods is not None:
            return None
        names = [method, *former_names(method)]
        at = names.index(refused) + 1
        return names[at] if at < len(names) else None

    def explain(self, method):
        """Why a target does not have a method, for its error.

        :param method: name in any release.
        :returns: what has it or what took its place (str).
        """
        table = data()
        ranges = table["methods"].get(method)
        if method in table["replaced"]:
            return f"no SPDK after {ranges[-1][1]} has it; " \
                + table["replaced"][method]
        current = _current_names().get(method)
        if current is not None and (self.methods is None
                                    or current in self.methods):
            return f"it is called {current} now"
        if ranges is None:
            return _close_names(method, self.methods
                                or table["methods"].keys())
        first, last = ranges[0][0], ranges[-1][1]
        for name in former_names(method):
            first = min(first, table["methods"][name][0][0], key=_release)
        release = self.version
        if release is not None and release < _release(first):
            return f"SPDK has it since {first}, the target is {release}"
        if last is not None and (release is None
                                 or release > _release(last)):
            return f"SPDK dropped it after {last}"
        return ("this program does not serve it, or --rpcs-allowed leaves "
                "it out")


def _close_names(method, names):
    # Costs time to import, and only a mistake needs it.
    import difflib
    close = difflib.get_close_matches(method, names, 1)
    if close:
        return f"did you mean {close[0]}?"
    return "no SPDK release has it; see rpc_get_methods"
