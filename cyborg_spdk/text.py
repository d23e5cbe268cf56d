# SPDX-License-Identifier: Apache-2.0

"""One way from a name that somebody else has chosen to a terminal or a log.

SPDK takes any text as the name of a bdev, an NQN or a controller, so a name
may hold what moves a cursor, turns the direction of writing, or begins a
new line that looks like one of ours.
"""

import unicodedata

# Unicode's categories of what is not to be seen as it is: control (C0, C1,
# DEL), format (directions of writing, zero width), surrogates, private use,
# unassigned, and separators of lines and paragraphs.
_HIDDEN = frozenset(('Cc', 'Cf', 'Cs', 'Co', 'Cn', 'Zl', 'Zp'))


def printable(text: object) -> str:
    r"""A text on one line that does nothing to what it is written to.

    :param text: a str, or anything that ``str()`` takes.
    :returns: the same, with what is not to be seen as Python writes it:
        ``\x1b``, ``\n``, ``\u202e``. A backslash stays as it is.
    """
    found = str(text)
    if found.isascii() and found.isprintable():
        return found
    return ''.join(
        _escaped(one) if unicodedata.category(one) in _HIDDEN else one
        for one in found)


def _escaped(one: str) -> str:
    return one.encode('unicode_escape', 'surrogatepass').decode('ascii')


def file_name(text: object) -> str:
    """A text as a part of the name of a file.

    :param text: as for :func:`printable`.
    :returns: str of letters, digits, ``_``, ``.`` and ``-``; never empty,
        never beginning with ``.`` or ``-``, at most 200 bytes. Different
        texts may give the same.
    """
    found = ''.join(
        one if one.isascii() and (one.isalnum() or one in '_.-') else '_'
        for one in str(text))[:200]
    return found if found[:1] not in ('', '.', '-') else '_' + found[1:]
