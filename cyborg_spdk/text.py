# SPDX-License-Identifier: Apache-2.0

"""One way from a name that somebody else has chosen to a terminal or a log.

SPDK takes any text as the name of a bdev, an NQN or a controller, so a name
may hold what moves a cursor, turns the direction of writing, or begins a
new line that looks like one of ours.
"""

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
    # Costs time to load, and few texts need it.
    import unicodedata
    return ''.join(
        _escaped(one) if unicodedata.category(one) in _HIDDEN else one
        for one in found)


def _escaped(one: str) -> str:
    return one.encode('unicode_escape', 'surrogatepass').decode('ascii')


def printable_json(text: str) -> str:
    r"""JSON that does nothing to what it is written to, and means the same.

    :param text: JSON, with line feeds or without.
    :returns: the same, with what is not to be seen as JSON writes it:
        ``\u009b``, ``\u202e``.
    """
    if text.isascii() and '\x7f' not in text:
        return text
    import unicodedata
    return ''.join(
        _escaped_json(one) if one != '\n'
        and unicodedata.category(one) in _HIDDEN else one for one in text)


def _escaped_json(one: str) -> str:
    # JSON has no escape for more than 16 bits: one for each half.
    found = one.encode('utf-16-be', 'surrogatepass')
    return ''.join(f'\\u{found[at:at + 2].hex()}'
                   for at in range(0, len(found), 2))
