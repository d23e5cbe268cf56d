# SPDX-License-Identifier: Apache-2.0

"""Placement: the providers of a host, what is allocated and reserved of them.

Free of Cyborg: any process that has ``[placement]`` in its configuration
uses it. Providers are named by UUID; :func:`provider_uuid` has the one that
Cyborg makes of a unit's name.

Policies of Placement 16 allow all of this to the roles ``admin`` and
``service`` of any project; a reader gets HTTP 403.
"""

from collections.abc import Iterable
from collections.abc import Mapping
import dataclasses
import email.utils
import os
import re
from typing import Any
import uuid

from keystoneauth1 import adapter as ks_adapter
from keystoneauth1 import exceptions as ks_exc
from keystoneauth1 import loading as ks_loading
from oslo_config import cfg

from cyborg_spdk import exceptions
from cyborg_spdk import loggers

LOG = loggers.get(__name__)

GROUP = 'placement'

#: The first version in which ``reserved`` may be as much as ``total``
#: (Rocky); nested trees (1.14) came before it.
MICROVERSION = '1.26'

#: How often a change is tried when somebody else changes the provider.
ATTEMPTS = 5

#: Seconds that one request may take: a report has to end within the agent's
#: ``rpc_response_timeout`` (60 s).
TIMEOUT = 20

#: How many of each resource class, by its name.
Amounts = dict[str, int]


@dataclasses.dataclass(frozen=True)
class Provider:
    """A resource provider.

    :ivar uuid: its UUID.
    :ivar name: its name; Cyborg gives a unit's provider the unit's name.
    :ivar generation: a number that changes with its inventories, traits and
        allocations.
    :ivar root: UUID of the root of its tree: that of the compute node.
    :ivar parent: UUID of its parent, or None.
    """

    uuid: str
    name: str
    generation: int
    root: str
    parent: str | None


@dataclasses.dataclass(frozen=True)
class Inventory:
    """What a provider has of one resource class.

    :ivar total: how many there are.
    :ivar reserved: how many of them are given to nobody.
    """

    total: int
    reserved: int


def provider_uuid(name: str) -> str:
    """UUID of the provider that Cyborg makes for a deployable.

    :param name: name of the deployable
        (``cyborg/conductor/manager.py``: ``uuid3(NAMESPACE_DNS, name)``).
    """
    return str(uuid.uuid3(uuid.NAMESPACE_DNS, name))


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register ``[placement]``, as Cyborg and Nova do.

    :param conf: the ``oslo_config.cfg.ConfigOpts``; options that are
        registered already, by Cyborg for example, stay as they are.
    """
    options = [opt for opt in ks_loading.get_adapter_conf_options(
        include_deprecated=False) if opt.dest not in (
            'version', 'min_version', 'max_version')]
    # Cyborg's own defaults; with others it could not register its own.
    cfg.set_defaults(options, valid_interfaces=['internal', 'public'],
                     service_type='placement')
    options += (ks_loading.get_session_conf_options()
                + ks_loading.get_auth_common_conf_options())
    for option in options:
        try:
            conf.register_opt(option, group=GROUP)
        except cfg.DuplicateOptError:
            LOG.debug('[%s] %s is registered already', GROUP, option.name)


class Placement:
    """Placement, asked with the credentials of ``[placement]``. Blocks.

    Connects at the first question. Every method raises
    :exc:`~cyborg_spdk.exceptions.PlacementError` if there is no answer, and
    :exc:`~cyborg_spdk.exceptions.PlacementNotConfigured` if nothing says
    where to ask.

    :param conf: the ``oslo_config.cfg.ConfigOpts``.
    """

    def __init__(self, conf: cfg.ConfigOpts = cfg.CONF) -> None:
        self._conf = conf
        self._adapter: ks_adapter.Adapter | None = None
        self._process = 0

    # Providers

    def provider(self, name: str) -> Provider | None:
        """The provider of this name, or None."""
        found = self._get('/resource_providers', name=name)
        return next(iter(_providers(found)), None)

    def tree(self, root: str) -> dict[str, Provider]:
        """The providers of a tree, by name, the root included.

        :param root: UUID of any provider of the tree.
        :returns: empty if Placement does not know it.
        """
        found = self._get('/resource_providers', in_tree=root)
        return {one.name: one for one in _providers(found)}

    def children(self, name: str) -> dict[str, Provider] | None:
        """The providers below a host's own, by name.

        :param name: name of the host's own provider.
        :returns: None if Placement does not know the host.
        """
        host = self.provider(name)
        if host is None:
            return None
        found = self.tree(host.uuid)
        found.pop(name, None)
        return found

    def name_of(self, provider: str) -> str | None:
        """The name of a provider, by its UUID; None if there is none."""
        found = self._get('/resource_providers', uuid=provider)
        return next((one.name for one in _providers(found)), None)

    def ensure_child(self, name: str, parent: str) -> None:
        """Make a provider without inventory, unless there is one.

        :param name: its name; its UUID is made of it. There is never a
            second one, whoever asks.
        :param parent: UUID of the provider above it, if it is made.
        """
        if self.provider(name):
            return
        path = '/resource_providers'
        reply = self._ask('post', path, json={
            'name': name, 'uuid': provider_uuid(name),
            'parent_provider_uuid': parent})
        if reply.status_code not in (200, 201, 409):
            raise _refused('POST', path, reply)

    def delete(self, provider: str) -> None:
        """Delete a provider that nobody holds anything of.

        :param provider: its UUID.
        """
        path = f'/resource_providers/{provider}'
        reply = self._ask('delete', path)
        if reply.status_code not in (204, 404):
            raise _refused('DELETE', path, reply)

    # Allocations

    def allocated(self, name: str) -> bool:
        """Whether somebody holds something of a unit.

        :param name: name of the unit's provider.
        :returns: False if there is no such provider.
        """
        return bool(self.consumers(provider_uuid(name)))

    def consumers(self, provider: str) -> dict[str, Amounts]:
        """Who holds how much of a provider.

        :param provider: its UUID.
        :returns: by the consumer's UUID, which for Nova is the instance's;
            empty if there is no such provider.
        """
        found = self._get(f'/resource_providers/{provider}/allocations')
        return {consumer: dict(one['resources']) for consumer, one in (
            found['allocations'] if found else {}).items()}

    def allocations(self, consumer: str) -> dict[str, Amounts]:
        """What a consumer holds.

        :param consumer: its UUID: for Nova, the instance's.
        :returns: by the provider's UUID; empty if it holds nothing.
        """
        found = self._get(f'/allocations/{consumer}')
        return {provider: dict(one['resources']) for provider, one in (
            found['allocations'] if found else {}).items()}

    # Inventories

    def inventories(self, provider: str) -> dict[str, Inventory] | None:
        """What a provider has, by resource class.

        :param provider: its UUID.
        :returns: None if there is no such provider.
        """
        found, _when = self._inventories(provider)
        return found

    def dated_inventories(self, provider: str) \
            -> tuple[dict[str, Inventory], float | None]:
        """What a provider has, and when that was made or changed last.

        :param provider: its UUID.
        :returns: pair: by resource class, empty if there is no such
            provider; and seconds since the epoch, on Placement's clock, or
            None if it does not tell.
        """
        found, when = self._inventories(provider)
        return found or {}, when

    def _inventories(self, provider: str) \
            -> tuple[dict[str, Inventory] | None, float | None]:
        path = f'/resource_providers/{provider}/inventories'
        reply = self._ask('get', path)
        if reply.status_code == 404:
            return None, None
        if reply.status_code != 200:
            raise _refused('GET', path, reply)
        found = {name: Inventory(total=one['total'],
                                 reserved=one['reserved'])
                 for name, one in reply.json()['inventories'].items()}
        try:
            when = email.utils.parsedate_to_datetime(
                reply.headers['Last-Modified']).timestamp()
        except (KeyError, TypeError, ValueError):
            return found, None
        return found, when

    def reserve(self, provider: str, resource_class: str,
                reserved: int) -> bool:
        """Keep some of a provider from being given away, or no longer.

        What is allocated already stays so: a unit that is reserved while it
        is allocated is given to nobody when it gets free. Asked first, so
        that nothing is written where it is so already.

        :param provider: its UUID.
        :param resource_class: the class of the inventory.
        :param reserved: how many; as many as there are means all.
        :returns: whether there was something to change.
        :raises PlacementError: also if there is no such provider or
            inventory, or if others change the provider all the time.
        """
        path = f'/resource_providers/{provider}/inventories/{resource_class}'
        for _attempt in range(ATTEMPTS):
            found = self._get(path)
            if found is None:
                raise exceptions.PlacementError(
                    f'provider {provider} has no {resource_class}; it is '
                    'not reported yet', 404)
            if found['reserved'] == reserved:
                return False
            reply = self._ask('put', path, json={**found,
                                                 'reserved': reserved})
            if reply.status_code == 200:
                return True
            if reply.status_code != 409:
                break
        raise _refused('PUT', path, reply)

    # Traits

    def traits(self, provider: str) -> frozenset[str] | None:
        """The traits of a provider.

        :param provider: its UUID.
        :returns: None if there is no such provider.
        """
        found = self._get(f'/resource_providers/{provider}/traits')
        return None if found is None else frozenset(found['traits'])

    def with_traits(self, root: str, traits: Iterable[str]) -> set[str]:
        """Names of the providers of a tree that have all of some traits.

        :param root: UUID of any provider of the tree.
        :param traits: at least one; of those that Placement does not know,
            nobody has any.
        """
        path = '/resource_providers'
        reply = self._ask('get', path, params={
            'in_tree': root, 'required': ','.join(traits)})
        if reply.status_code == 400:
            return set()
        if reply.status_code != 200:
            raise _refused('GET', path, reply)
        return {one.name for one in _providers(reply.json())}

    def knows_trait(self, name: str) -> bool:
        """Whether there is a trait of this name."""
        path = f'/traits/{name}'
        reply = self._ask('get', path)
        if reply.status_code not in (204, 404):
            raise _refused('GET', path, reply)
        return bool(reply.status_code == 204)

    # HTTP

    def _get(self, path: str, **query: str) -> Any:
        """The decoded answer; None for what is not there."""
        reply = self._ask('get', path, params=query)
        if reply.status_code == 404:
            return None
        if reply.status_code != 200:
            raise _refused('GET', path, reply)
        return reply.json()

    def _ask(self, verb: str, path: str, **kwargs: Any) -> Any:
        if self._adapter is None or self._process != os.getpid():
            # After a fork its connections are still the parent's.
            self._adapter = _connect(self._conf)
            self._process = os.getpid()
        try:
            return self._adapter.request(
                path, verb.upper(), raise_exc=False, timeout=TIMEOUT,
                microversion=MICROVERSION, headers={
                    'Accept': 'application/json'}, **kwargs)
        except (ks_exc.ClientException, OSError) as exc:
            # A token or an endpoint may be the reason: start afresh.
            self._adapter = None
            raise exceptions.PlacementError(_short(exc)) from exc


def _short(exc: Exception) -> str:
    """What went wrong, in the same words for each path."""
    text = ' '.join(str(exc).split())
    said, _, further = text.partition(': HTTP')
    said = re.sub(r'(https?://[^/\s]+)\S*', r'\1', said)
    # requests and urllib3 name each other's objects; the cause is what the
    # system said.
    cause = re.search(r'\[Errno -?\d+\] ([\w ]+)|timed out', further)
    return f'{said}: {cause.group(1) or cause.group()}' if cause else said


def _providers(found: Mapping[str, Any] | None) -> list[Provider]:
    return [Provider(
        uuid=one['uuid'], name=one['name'], generation=one['generation'],
        root=one['root_provider_uuid'], parent=one['parent_provider_uuid'])
        for one in (found['resource_providers'] if found else ())]


def _refused(verb: str, path: str, reply: Any) -> exceptions.PlacementError:
    return exceptions.PlacementError(
        f'{verb} {path}: HTTP {reply.status_code}', reply.status_code)


def _connect(conf: cfg.ConfigOpts) -> ks_adapter.Adapter:
    register_opts(conf)
    options = conf[GROUP]
    if not (options.auth_type or options.auth_section):
        raise exceptions.PlacementNotConfigured(
            f'[{GROUP}] auth_type is not set')
    try:
        auth = ks_loading.load_auth_from_conf_options(conf, GROUP)
        session = ks_loading.load_session_from_conf_options(
            conf, GROUP, auth=auth)
    except (ks_exc.ClientException, cfg.Error, OSError, ValueError,
            TypeError) as exc:
        # Whatever keystoneauth makes of a wrong section.
        raise exceptions.PlacementError(
            f'[{GROUP}]: ' + ' '.join(str(exc).split())) from exc
    return ks_adapter.Adapter(
        session=session, auth=auth, service_type=options.service_type,
        service_name=options.service_name, region_name=options.region_name,
        interface=options.valid_interfaces,
        endpoint_override=options.endpoint_override)
