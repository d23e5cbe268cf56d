# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk rpc METHOD --help``: what a method takes."""

from __future__ import annotations

import textwrap

from cyborg_spdk.rpc.protocol import catalogue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cyborg_spdk.rpc.protocol import parameters

_WIDTH = 78
#: Longer names do not move what stands beside the others.
_NAME_WIDTH = 26


def text(method: str) -> str:
    """Describe a method.

    :param method: its name in any release.
    :returns: lines of at most 78 columns.
    :raises MethodNotFound: if no release has it, with what was meant.
    """
    found = catalogue.describe(method)
    return "\n".join([*_head(found), "", *_parameters(found)])


def _head(found: catalogue.Description) -> list[str]:
    usage = f"cyborg-spdk rpc {found.name}"
    for one in found.parameters or ():
        if not one.is_member and _needed(one):
            usage += f" {one.name}={_placeholder(one)}"
    lines = textwrap.wrap(usage, _WIDTH, subsequent_indent="    ",
                          break_on_hyphens=False)
    until = f" to {found.last}" if found.last else ""
    lines += ["", f"SPDK has it {'from' if until else 'since'} "
              f"{found.first}{until}."]
    lines += [f"It was called {name} from {first}"
              f"{f' to {last}' if last else ''}."
              for name, first, last in found.former]
    if found.replaced:
        lines += textwrap.wrap(f"In its place: {found.replaced}.", _WIDTH)
    return lines


def _parameters(found: catalogue.Description) -> list[str]:
    if not found.parameters:
        return ["It takes no parameters." if found.parameters is not None
                else "It does not look at any parameters."]
    # What went with an older release comes last.
    there = [one for one in found.parameters if one.last == found.last
             or one.last is None]
    gone = [one for one in found.parameters if one not in there]
    lines = ["Parameters; those in brackets may be left out:"]
    for one in there + gone:
        lines += _lines(one)
    return lines


def _needed(one: parameters.Parameter) -> bool:
    return one.periods[-1].needed and one.last is None


def _lines(one: parameters.Parameter) -> list[str]:
    name = one.name if one.periods[-1].needed else f"[{one.name}]"
    about = "; ".join([_kind(one), *_times(one)])
    indent = " " * (_NAME_WIDTH + 4)
    begin = f"  {name:<{_NAME_WIDTH}}  "
    lines = textwrap.wrap(about, _WIDTH - len(indent),
                          break_on_hyphens=False)
    if len(begin) > len(indent):
        return [begin.rstrip(), *(indent + line for line in lines)]
    return [begin + lines[0], *(indent + line for line in lines[1:])]


def _kind(one: parameters.Parameter) -> str:
    if one.words:
        return "one of " + ", ".join(one.words)
    return one.kind


def _times(one: parameters.Parameter) -> list[str]:
    """When it is there, where that is not always."""
    times = []
    if one.first and one.last:
        times.append(f"from {one.first} to {one.last}")
    elif one.first:
        times.append(f"since {one.first}")
    elif one.last:
        times.append(f"up to {one.last}")
    for before, after in zip(one.periods, one.periods[1:], strict=False):
        if before.needed and not after.needed:
            times.append(f"may be left out since {after.first}")
        elif after.needed and not before.needed:
            times.append(f"must be given since {after.first}")
    return times


def _placeholder(one: parameters.Parameter) -> str:
    return {"array": "'[...]'", "object": "'{...}'",
            "number": "NUMBER"}.get(one.shape, "TEXT")
