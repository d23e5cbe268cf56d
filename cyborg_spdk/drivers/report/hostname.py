# SPDX-License-Identifier: Apache-2.0

"""Which name this host has in Placement: the one that the agent uses.

Since openstack-cyborg 16.0.0 that is ``[agent] resource_provider_name``, or
``host`` if Placement knows no provider of the first name; before, ``host``.
"""

from collections.abc import Iterable

from oslo_config import cfg

from cyborg_spdk import exceptions
from cyborg_spdk.units import placement


def candidates() -> list[str]:
    """The one or two names that the agent would try, in its order."""
    conf = cfg.CONF
    names = [conf.host]
    if 'agent' in conf and 'resource_provider_name' in conf.agent:
        names.insert(0, conf.agent.resource_provider_name)
    return list(dict.fromkeys(name for name in names if name))


class HostName:
    """The host's name, found out once.

    :param service: whom to ask.
    """

    def __init__(self, service: placement.Placement) -> None:
        self._placement = service
        self._found: dict[tuple[str, ...], str] = {}

    def get(self, remembered: Iterable[str] = ()) -> str:
        """The host's name.

        :param remembered: names that earlier reports were made under; they
            decide if Placement cannot be asked.
        """
        names = tuple(candidates())
        if len(names) == 1:
            return names[0]
        if names in self._found:
            return self._found[names]
        try:
            for name in names:
                if self._placement.provider(name):
                    self._found[names] = name
                    return name
        except exceptions.PlacementError:
            for name in remembered:
                if name in names:
                    return name
        return names[0]
