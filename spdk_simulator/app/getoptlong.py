# SPDX-License-Identifier: Apache-2.0

"""``getopt_long()`` as glibc does it: in order, with what it complains of."""


class Complaint(Exception):
    """An option is not understood; its text is what glibc prints."""


class Option:
    """One option.

    :ivar short: its letter, or ''.
    :ivar long: its name without the dashes, or ''.
    :ivar value: whether it takes one.
    :ivar key: what names it; options with one key mean the same.
    """

    def __init__(self, short, long, value, key=None):
        self.short = short
        self.long = long
        self.value = value
        self.key = key or short or long


def options(argv, table):
    """Read a command line, option by option.

    What is no option is left out, wherever it stands.

    :param argv: the arguments (list of str).
    :param table: list of :class:`Option`.
    :returns: an iterator of (option, its value or None).
    :raises Complaint: when it comes to an option that is not understood.
    """
    shorts = {option.short: option for option in table if option.short}
    rest = list(argv)
    while rest:
        text = rest.pop(0)
        if text == "--":
            return
        if text.startswith("--"):
            yield _long(text, rest, table)
        elif text.startswith("-") and text != "-":
            yield from _cluster(text[1:], rest, shorts)


def _cluster(letters, rest, shorts):
    while letters:
        letter, letters = letters[0], letters[1:]
        option = shorts.get(letter)
        if option is None:
            raise Complaint(f"invalid option -- '{letter}'")
        if not option.value:
            yield option, None
            continue
        if not letters and not rest:
            raise Complaint(f"option requires an argument -- '{letter}'")
        yield option, letters or rest.pop(0)
        return


def _long(text, rest, table):
    name, given, value = text[2:].partition("=")
    option = _named(text, name, table)
    if option.value:
        if not given and not rest:
            raise Complaint(f"option '--{option.long}' requires an argument")
        return option, value if given else rest.pop(0)
    if given:
        raise Complaint(f"option '--{option.long}' doesn't allow an argument")
    return option, None


def _named(text, name, table):
    found = []
    for option in table:
        if option.long == name and name:
            return option
        if option.long and option.long.startswith(name):
            found.append(option)
    if not found:
        raise Complaint(f"unrecognized option '{text}'")
    if len({(option.key, option.value) for option in found}) > 1:
        names = " ".join(f"'--{option.long}'" for option in found)
        raise Complaint(
            f"option '{text}' is ambiguous; possibilities: {names}")
    return found[0]
