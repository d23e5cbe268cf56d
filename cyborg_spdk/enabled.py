# SPDX-License-Identifier: Apache-2.0

"""Which targets matter on this host: those whose driver the agent has.

The one answer for the drivers, the service and every command. The option
``[agent] enabled_drivers`` is Cyborg's; it is read here also where Cyborg is
not loaded.
"""

import dataclasses
import difflib

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf

#: Kinds that matter where the agent names no driver of ours.
DEFAULT_KINDS = ('nvmf', 'vhost')

_OPTION = '[agent] enabled_drivers'
_SET = (cfg.Locations.user, cfg.Locations.command_line,
        cfg.Locations.environment, cfg.Locations.set_override)


@dataclasses.dataclass(frozen=True)
class Enabled:
    """Which of our drivers matter, and why.

    :ivar kinds: their kinds, as the agent names them.
    :ivar reason: one line for the operator.
    :ivar problems: names that are no drivers of ours although they look so;
        one line each.
    """

    kinds: tuple[str, ...]
    reason: str
    problems: tuple[str, ...] = ()

    @property
    def drivers(self) -> tuple[str, ...]:
        """Names of the drivers."""
        return tuple(map(driver_name, self.kinds))


def driver_name(kind: str) -> str:
    """Name of the entry point of the driver for a kind of target."""
    return f'spdk_{kind}_driver'


def register(conf: cfg.ConfigOpts) -> None:
    """Register the option where Cyborg, whose it is, is not installed."""
    conf.register_opt(cfg.ListOpt('enabled_drivers', default=[]),
                      group='agent')


def of_agent(conf: cfg.ConfigOpts) -> list[str]:
    """Kinds of our drivers that ``[agent] enabled_drivers`` names."""
    return [kind for name in _named(conf) for kind in spdk_conf.KINDS
            if name == driver_name(kind)]


def find(conf: cfg.ConfigOpts) -> Enabled:
    """Which of our drivers matter.

    Those that the agent has; if it names none of ours, nvmf and vhost, and
    iscsi if an option of it is set.

    :param conf: the configuration, whose files were parsed.
    :raises ConfigurationError: for a configuration that cannot be used.
    """
    names = _named(conf)
    known = [driver_name(kind) for kind in spdk_conf.KINDS]
    problems = tuple(
        f'{_OPTION}: {name} is no driver of ours'
        + ''.join(f'; did you mean {close}?' for close in
                  difflib.get_close_matches(name, known, 1))
        for name in names if name.startswith('spdk') and name not in known)
    kinds = dict.fromkeys(of_agent(conf))
    if kinds:
        return Enabled(tuple(kinds), f'{_OPTION} names them', problems)
    spdk_conf.targets(conf)
    found = tuple(kind for kind in spdk_conf.KINDS
                  if kind in DEFAULT_KINDS or _is_set(conf, kind))
    return Enabled(
        found, f'{_OPTION} names none of '
        + ', '.join(known) + '; these are taken by default', problems)


def targets(conf: cfg.ConfigOpts) -> list[spdk_conf.Target]:
    """The targets that matter, in the order of the configuration.

    :raises ConfigurationError: for a configuration that cannot be used.
    """
    kinds = find(conf).kinds
    return [target for target in spdk_conf.targets(conf)
            if target.kind in kinds]


def _named(conf: cfg.ConfigOpts) -> list[str]:
    if 'agent' in conf and 'enabled_drivers' in conf.agent:
        return list(conf.agent.enabled_drivers)
    # Not registered here: Cyborg does that when it is loaded, and could not
    # any more if somebody else had.
    own = cfg.ConfigOpts()
    register(own)
    own([], project='cyborg', default_config_files=_some(conf.config_file),
        default_config_dirs=_some(conf.config_dir))
    return list(own.agent.enabled_drivers)


def _some(names: list[str] | str | None) -> list[str]:
    return [names] if isinstance(names, str) else list(names or ())


def _is_set(conf: cfg.ConfigOpts, kind: str) -> bool:
    """Whether somebody has set an option of a kind of target."""
    found = [(f'{kind}_targets', spdk_conf.GROUP)]
    found += [(opt.name, name) for name in conf.spdk[f'{kind}_targets']
              for opt in spdk_conf.target_opts(kind)]
    places = [conf.get_location(name, group) for name, group in found]
    return any(place is not None and place.location in _SET
               for place in places)
