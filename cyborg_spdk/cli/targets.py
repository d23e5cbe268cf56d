# SPDX-License-Identifier: Apache-2.0

"""The targets that a command is about, and what they lack.

Apart from the commands that start them: ``status`` needs nothing of that.
"""

from collections.abc import Sequence

from cliff import columns
from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import judge
from cyborg_spdk.desired import objects
from cyborg_spdk import enabled
from cyborg_spdk import exceptions
from cyborg_spdk import loggers

LOG = loggers.get(__name__)


def chosen(conf: cfg.ConfigOpts,
           names: Sequence[str]) -> list[spdk_conf.Target]:
    """Targets by their names; for none those whose driver is enabled.

    :param conf: the configuration.
    :param names: in any order.
    :raises InvalidValue: for a name that no target has.
    """
    known = {target.name: target for target in spdk_conf.targets(conf)}
    for name in names:
        if name not in known:
            raise exceptions.InvalidValue(
                'target', name, 'the configuration has only '
                + ', '.join(known))
    return [known[name] for name in dict.fromkeys(names)] or \
        enabled.targets(conf)


class Known(columns.FormattableColumn):  # type: ignore[type-arg]
    """A value that may be None; in a table that is nothing."""

    def human_readable(self) -> str:
        return '' if self._value is None else str(self._value)


#: How many missing objects of a target are told one by one.
TOLD = 10


def tell_missing(target: spdk_conf.Target,
                 missing: Sequence[objects.Object]) -> None:
    """Tell what a target lacks, on the standard error.

    :param target: a :class:`cyborg_spdk.conf.Target`.
    :param missing: list of :class:`cyborg_spdk.desired.objects.Object`.
    """
    for one in missing[:TOLD]:
        LOG.warning('%s: %s is missing: %s', target.name,
                    judge.said(one.key), one.why)
    if len(missing) > TOLD:
        LOG.warning('%s: %d more are missing: cyborg-spdk target diff %s',
                    target.name, len(missing) - TOLD, target.name)
