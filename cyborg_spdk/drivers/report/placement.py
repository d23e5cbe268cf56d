# SPDX-License-Identifier: Apache-2.0

"""What Placement says about this host's providers."""

import os
import uuid

from keystoneauth1 import exceptions as ks_exc
from oslo_config import cfg
from oslo_log import log

LOG = log.getLogger(__name__)

#: ``in_tree`` exists from this microversion on (Queens).
_TREE = '1.14'


class CannotAsk(Exception):
    """Placement gave no answer; nothing is known."""


class NotConfigured(CannotAsk):
    """There is nothing in ``[placement]`` to reach it by."""


class Placement:
    """Placement, asked with the agent's own credentials.

    Every method raises :class:`CannotAsk` if there is no answer.
    """

    def __init__(self):
        self._adapter = None
        self._process = None

    def exists(self, name):
        """Whether there is a provider of this name.

        :returns: bool.
        """
        found = self._get('/resource_providers', name=name)
        return bool(found['resource_providers'])

    def children(self, name):
        """Names of the providers in a host's tree.

        :param name: name of the host's own provider.
        :returns: set of str without that one; None if Placement does not
            know the host.
        """
        found = self._get('/resource_providers', name=name)
        roots = found['resource_providers']
        if not roots:
            return None
        tree = self._get('/resource_providers', in_tree=roots[0]['uuid'])
        return {one['name'] for one in tree['resource_providers']} - {name}

    def allocated(self, name):
        """Whether somebody holds something of a provider.

        :param name: name of the provider: its UUID is what Cyborg makes of
            the name.
        :returns: bool; False if there is no such provider.
        """
        identifier = uuid.uuid3(uuid.NAMESPACE_DNS, str(name))
        found = self._get(f'/resource_providers/{identifier}/allocations')
        return bool(found and found['allocations'])

    def _get(self, path, **query):
        if self._adapter is None or self._process != os.getpid():
            # After a fork its connections are still the parent's.
            self._adapter, self._process = _connect(), os.getpid()
        try:
            reply = self._adapter.get(path, params=query, microversion=_TREE,
                                      raise_exc=False)
        except (ks_exc.ClientException, OSError) as exc:
            # A token or an endpoint may be the reason: start afresh.
            self._adapter = None
            raise CannotAsk(' '.join(str(exc).split())) from exc
        if reply.status_code == 404:
            return None
        if reply.status_code != 200:
            raise CannotAsk(f'GET {path}: HTTP {reply.status_code}')
        return reply.json()


def _connect():
    group = getattr(cfg.CONF, 'placement', None)
    if group is None or not group.auth_type:
        raise NotConfigured('[placement] auth_type is not set')
    # Imported late: it brings the whole of openstacksdk, which the command
    # has no use for.
    from cyborg.common import utils
    try:
        return utils.get_sdk_adapter('placement')
    except Exception as exc:
        # Whatever openstacksdk and keystoneauth make of a wrong section.
        raise CannotAsk(' '.join(str(exc).split())) from exc
