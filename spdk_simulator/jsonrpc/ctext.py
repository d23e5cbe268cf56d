# SPDX-License-Identifier: Apache-2.0

"""Text read as C's library and SPDK's helpers read it."""

import fnmatch
import re

_LONG_MAX = 2 ** 63 - 1
_INTEGERS = {
    0: re.compile(r"\s*([+-]?)(0[xX][0-9a-fA-F]+|[0-9]+)"),
    10: re.compile(r"\s*([+-]?)([0-9]+)"),
    16: re.compile(r"\s*([+-]?)((?:0[xX])?[0-9a-fA-F]+)")}
_CAPACITY = re.compile(r"\s*([+-]?[0-9]+)(.?)", re.S)
# The forms of a PCI address in the order in which they are tried, and
# whether a function ends them.
_PCI = (("X:X:X.X", True), ("X.X.X.X", True), ("X:X:X", False),
        ("X:X.X", True), ("X.X.X", True), ("X:X", False), ("X.X", False))


def strtol(text, base):
    """``spdk_strtol()``: a number that is not negative, or an error.

    :param base: 0, 10 or 16.
    :returns: the number; -22 for other text, -34 for a negative or a too
        large number.
    """
    number, rest = leading(text, base)
    if abs(number) > _LONG_MAX:
        return -34
    if rest:
        return -22
    return -34 if number < 0 else number


def leading(text, base):
    """``strtoll()``: the number at the beginning of a text.

    :returns: (the number, 0 without one; what follows).
    """
    match = _INTEGERS[base].match(text)
    if not match:
        return 0, text
    sign, digits = match.groups()
    rest = text[match.end():]
    if base == 0 and digits[0] == "0" and digits[:2].lower() != "0x":
        octal = re.match("[0-7]*", digits).group()
        digits, rest = octal, digits[len(octal):] + rest
        number = int(digits, 8)
    else:
        number = int(digits, base)
    return -number if sign == "-" else number, rest


def to_int(number):
    """What a C int makes of a long."""
    return (number + 2 ** 31) % 2 ** 32 - 2 ** 31


def capacity(text):
    """``-s``: megabytes, or a capacity with a K, M or G behind it.

    :returns: megabytes; None for other text.
    """
    match = _CAPACITY.match(text)
    if not match:
        return None
    number = min(int(match.group(1)), 2 ** 64 - 1) % 2 ** 64
    unit = match.group(2)
    if not unit:
        return number
    shift = {"K": 10, "M": 20, "G": 30}.get(unit.upper())
    if shift is None:
        return None
    return (number << shift) % 2 ** 64 >> 20


def is_pci(text):
    """``spdk_pci_addr_parse()``: whether a text is a PCI address."""
    for form, function in _PCI:
        match = re.match(re.escape(form).replace(
            "X", r"\s*([+-]?(?:0[xX])?[0-9a-fA-F]+)"), text)
        if match:
            parts = [int(part, 16) % 2 ** 32 for part in match.groups()]
            bus, device, number = ([0] + parts + [0] * (not function))[-3:]
            return bus <= 0xFF and device <= 0x1F and number <= 7
    return False


def matching(pattern, flags):
    """``spdk_log_set_flag()``: the flags that a pattern names.

    :param pattern: as a shell's, in any case; ``all`` is every flag.
    """
    if pattern.lower() == "all":
        return list(flags)
    return [flag for flag in flags
            if fnmatch.fnmatchcase(flag.lower(), pattern.lower())]
