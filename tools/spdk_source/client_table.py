# SPDX-License-Identifier: Apache-2.0
"""The tables of methods and parameters that the clients go by."""

from typing import Any

from spdk_source import by_hand
from spdk_source import checkout
from spdk_source import history
from spdk_source import kinds
from spdk_source import release

Member = tuple[Any, bool]


def methods(releases: list[release.Release]) -> dict[str, Any]:
    """Make the table of methods.

    :param releases: what :func:`history.read` returned.
    """
    releases = _final(releases)
    served = _served(releases)
    newest = releases[-1].tag
    return {
        'releases': [one.tag for one in releases],
        'methods': {name: [_open(first, last, newest)
                           for first, last, _ in found]
                    for name, found in served.items()},
        'renamed': _renamed(releases),
        'param_names': by_hand.FORMER_PARAMS,
        'replaced': by_hand.REPLACED,
        'text': _text(parameters(releases)['params'])}


def parameters(releases: list[release.Release]) -> dict[str, Any]:
    """Make the table of parameters.

    :param releases: what :func:`history.read` returned.
    """
    releases = _final(releases)
    served = _served(releases)
    renamed = _renamed(releases)
    former = {name for names in renamed.values() for name in names}
    made = {}
    for name in served:
        if name in former and name not in releases[-1].methods:
            continue
        params = _params(name, renamed.get(name, []), releases)
        if params is not None:
            made[name] = {'since': served[name][0][0], 'takes': params}
    return {'params': made}


def _final(releases: list[release.Release]) -> list[release.Release]:
    return [one for one in releases if not one.tag.endswith('-pre')]


def _served(releases: list[release.Release]) -> dict[str, history.Periods]:
    return history.table(releases, [
        dict.fromkeys((*one.methods, *one.aliases), True)
        for one in releases])


def _open(first: str | None, last: str, newest: str) -> list[str | None]:
    return [first, None if last == newest else last]


def _renamed(releases: list[release.Release]) -> dict[str, list[str]]:
    """Names that a method had in older releases, the newest first."""
    targets: dict[str, set[str]] = {}
    order: dict[str, int] = {}
    for one in releases:
        for former, name in one.aliases.items():
            targets.setdefault(former, set()).add(name)
        for name in sorted((*one.methods, *one.aliases)):
            order.setdefault(name, len(order))
    for name, formers in by_hand.FORMER_NAMES.items():
        for former in formers:
            if former in order:
                targets.setdefault(former, set()).add(name)
    renamed: dict[str, list[str]] = {}
    for former in sorted(targets, key=order.__getitem__, reverse=True):
        for name in _reached(former, targets):
            renamed.setdefault(name, []).append(former)
    return dict(sorted(renamed.items()))


def _reached(name: str, targets: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    for target in targets.get(name, ()):
        found |= {target} | _reached(target, targets)
    return found


def _text(params: dict[str, dict[str, Any]]) -> list[str]:
    """Names of parameters that are strings wherever they occur."""
    seen: dict[str, set[str]] = {}
    for table in params.values():
        for name, (kind, *_) in table['takes'].items():
            seen.setdefault(name.rpartition('.')[2], set()).add(
                kinds.shape(kind))
    return sorted(name for name, shapes in seen.items()
                  if shapes == {'string'})


def _params(name: str, formers: list[str],
            releases: list[release.Release]) -> dict[str, Any] | None:
    """Parameters of a method under all its names.

    :returns: name -> [type, [first release, last release, whether it must
        be given], ...]; an end that is the method's own is None. Where JSON
        has several forms for its types, each period has its own type behind
        that. None if the newest release does not look at them.
    """
    having = [(one, spec) for one in releases
              for spec in [_spec(one, name, formers)] if spec is not None]
    if 'fields' not in having[-1][1]:
        return None
    members = [_members(name, one, spec) for one, spec in having]
    tags = [one for one, _ in having]
    params = {}
    # In the order of the newest release.
    for param in dict.fromkeys(
            param for one in reversed(members) for param in one):
        kind = _newest_kind(param, members)
        found = history.periods(tags, [
            _about(one.get(param), ' or ' in kind) for one in members])
        params[param] = [kind] + [
            [None if first == tags[0].tag else first,
             None if last == tags[-1].tag else last, *about]
            for first, last, about in found]
    return params


def _about(member: Member | None, with_kind: bool) -> list[Any] | None:
    """Whether it must be given, and its type if that is asked for."""
    if member is None:
        return None
    kind, needed = member
    if not with_kind:
        return [needed]
    return [needed, 'string' if isinstance(kind, list) else kind]


def _spec(one: release.Release, name: str,
          formers: list[str]) -> release.Spec | None:
    for known in (name, *formers):
        if known in one.methods:
            return one.methods[known]
    return None


def _members(method: str, one: release.Release,
             spec: release.Spec) -> dict[str, Member]:
    """Name -> (type, needed) of parameters and members of objects."""
    members: dict[str, Member] = {}
    # Where no parameters at all will do, none of them must be given.
    free_all = spec.get('absent_ok') and not spec.get('absent_error')
    for name, decoder, optional in (*(spec.get('fields') or ()),
                                    *spec.get('extra', ())):
        name = _current(method, name, one.tag)
        members[name] = (kinds.of(decoder, one),
                         not optional and not free_all)
        inner, mark = one.nested.get(decoder, {}), ''
        if 'array' in inner:
            inner, mark = one.nested.get(inner['array'], {}), '[]'
        for part, kind, free in inner.get('fields', ()):
            members[f'{name}{mark}.{part}'] = (kinds.of(kind, one), not free)
    return members


def _current(method: str, name: str, tag: str) -> str:
    for current, formers in by_hand.FORMER_PARAMS.get(method, {}).items():
        for former, first, last in formers:
            if name == former and checkout.order(first) \
                    <= checkout.order(tag) <= checkout.order(last):
                return current
    return name


def _newest_kind(name: str, members: list[dict[str, Member]]) -> Any:
    """The newest type; all of them if JSON has other forms for them."""
    found = [one[name][0] for one in members if name in one]
    shapes: dict[str, Any] = {}
    for kind in reversed(found):
        shapes.setdefault(kinds.shape(kind), kind)
    if len(shapes) == 1:
        return found[-1]
    if kinds.ANY in shapes:
        return kinds.ANY
    return ' or '.join('string' if isinstance(kind, list) else kind
                       for kind in shapes.values())
