# SPDX-License-Identifier: Apache-2.0

"""One thing that ``doctor`` has found."""

import collections

OK, NOTE, WARNING, FAILURE = 'ok', 'note', 'warning', 'failure'

#: ``level`` is one of the constants above, ``target`` the target that it is
#: about, or None for the whole machine.
Finding = collections.namedtuple(
    'Finding', 'check level text remedy target', defaults=('', None))


def halves(exc):
    """The cause and the remedy of an error: "cause; remedy"."""
    text, _, remedy = str(exc).rpartition('; ')
    return (text, remedy) if text else (remedy, '')


def of_target(check, target, exc):
    """A failure of one target, from the error that says so."""
    text, remedy = halves(exc)
    return Finding(check, FAILURE, text, remedy, target.name)
