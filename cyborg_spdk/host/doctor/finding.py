# SPDX-License-Identifier: Apache-2.0

"""One thing that ``doctor`` has found."""

from typing import NamedTuple

from cyborg_spdk import conf as spdk_conf

OK, NOTE, WARNING, FAILURE = 'ok', 'note', 'warning', 'failure'


class Finding(NamedTuple):
    """What a check has found.

    :ivar check: name of the check.
    :ivar level: one of the constants above.
    :ivar text: what is so.
    :ivar remedy: what to do, or an empty string.
    :ivar target: name of the target that it is about, or None for the whole
        machine.
    """

    check: str
    level: str
    text: str
    remedy: str = ''
    target: str | None = None


def halves(exc: Exception) -> tuple[str, str]:
    """The cause and the remedy of an error: "cause; remedy"."""
    text, _, remedy = str(exc).rpartition('; ')
    return (text, remedy) if text else (remedy, '')


def of_target(check: str, target: spdk_conf.Target,
              exc: Exception) -> Finding:
    """A failure of one target, from the error that says so."""
    text, remedy = halves(exc)
    return Finding(check, FAILURE, text, remedy, target.name)
