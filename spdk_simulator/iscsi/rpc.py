# SPDX-License-Identifier: Apache-2.0

"""``iscsi_*`` methods on groups and options (``lib/iscsi/iscsi_rpc.c``)."""

import errno
import os

from spdk_simulator import errors
from spdk_simulator.iscsi import state as iscsi_state
from spdk_simulator.jsonrpc import registry
from spdk_simulator.vhost import state as vhost_state

_MAX_ITEMS = 256


@registry.method("iscsi_get_options")
def get_options(target, params, request):
    """Tell the options."""
    return target.iscsi.shown_options()


@registry.early("iscsi_set_options")
def once(target, params=None):
    """Refuse a second call; nothing but its parameters may be wrong."""
    if target.iscsi.options_set:
        raise errors.internal("Must not call more than once")


@registry.method("iscsi_set_options")
def set_options(target, params, request):
    """Set the options; what they are is looked at when iSCSI starts."""
    layer = target.iscsi
    layer.options_set = True
    if params.get("auth_file") is not None:
        layer.auth_file = params["auth_file"]
    target.options.update("iscsi_set_options", params)
    return True


@registry.method("iscsi_set_discovery_auth")
def set_discovery_auth(target, params, request):
    """Set the authentication of discovery sessions."""
    if not iscsi_state.chap_is_valid(params):
        raise errors.invalid_params("Invalid combination of CHAP params")
    target.iscsi.options.update(iscsi_state.chap(params))
    return True


# Portal groups.

@registry.method("iscsi_get_portal_groups")
def get_portal_groups(target, params, request):
    """List the portal groups."""
    return [group.facts(target.release)
            for group in target.iscsi.portal_groups.values()]


def _portal(target, given):
    """A portal as it is kept; up to v19.07 with a core mask.

    :raises errors.CallError: -32602 for a mask without a core.
    """
    portal = {"host": iscsi_state.WILDCARD.get(given["host"], given["host"]),
              "port": given["port"]}
    if target.release < 1910:
        cores = sum(1 << core for core in target.cores())
        if given.get("cpumask") is not None:
            try:
                cores &= vhost_state.parse_mask(given["cpumask"])
            except ValueError:
                cores = 0
        if not cores:
            raise errors.invalid_params()
        portal["cpumask"] = f"0x{cores:x}"
    return portal


@registry.method("iscsi_create_portal_group")
def create_portal_group(target, params, request):
    """Make a portal group and listen on its portals."""
    layer = target.iscsi
    portals = [_portal(target, portal) for portal in params["portals"]]
    group = iscsi_state.PortalGroup(params["tag"], portals,
                                    params.get("private", False))
    if params["tag"] in layer.portal_groups \
            or not layer.portals_are_free(portals) \
            or not layer.can_open(group):
        raise errors.invalid_params()
    # With ``wait`` it listens, too, and only accepts nobody yet.
    group.opened = not params.get("wait", False)
    layer.portal_groups[group.tag] = group
    return True


@registry.method("iscsi_start_portal_group")
def start_portal_group(target, params, request):
    """Listen on the portals of a group that was made with ``wait``."""
    group = target.iscsi.portal_groups.get(params["tag"])
    if group is None:
        raise errors.invalid_params()
    group.opened = True
    return True


@registry.method("iscsi_delete_portal_group")
def delete_portal_group(target, params, request):
    """Remove a portal group, also from the target nodes' maps."""
    layer = target.iscsi
    if layer.portal_groups.pop(params["tag"], None) is None:
        raise errors.invalid_params()
    layer.drop_maps(lambda pair: pair[0] == params["tag"])
    return True


@registry.method("iscsi_portal_group_set_auth")
def portal_group_set_auth(target, params, request):
    """Set the authentication of a portal group."""
    group = target.iscsi.portal_groups.get(params["tag"])
    if group is None:
        raise errors.invalid_params(
            f"Could not find portal group {params['tag']}")
    if not iscsi_state.chap_is_valid(params):
        raise errors.invalid_params("Invalid combination of auth params")
    group.chap = iscsi_state.chap(params)
    return True


# Initiator groups.

@registry.method("iscsi_get_initiator_groups")
def get_initiator_groups(target, params, request):
    """List the initiator groups."""
    return [group.facts(target.release)
            for group in target.iscsi.initiator_groups.values()]


def _any(text):
    """``ALL`` is an old word for ``ANY``; SPDK finds it anywhere."""
    return text.replace("ALL", "ANY", 1)


def _add(group, params):
    """Add initiators and netmasks, all or none.

    :raises errors.CallError: -32602.
    """
    initiators = _grown(group.initiators, params.get("initiators", ()),
                        iscsi_state.MAX_NAME)
    netmasks = _grown(group.netmasks, params.get("netmasks", ()), 256)
    group.initiators, group.netmasks = initiators, netmasks


def _grown(known, added, size):
    """Append texts to those that are known (iscsi_init_grp_add_netmask()).

    :param size: bytes that a text may have.
    :returns: the longer list.
    :raises errors.CallError: -32602.
    """
    grown = list(known)
    for text in added:
        if len(grown) >= _MAX_ITEMS or text in grown \
                or len(text.encode()) > size:
            raise errors.invalid_params()
        grown.append(_any(text))
    return grown


@registry.method("iscsi_create_initiator_group")
def create_initiator_group(target, params, request):
    """Make an initiator group."""
    layer = target.iscsi
    if params["tag"] in layer.initiator_groups \
            or not params["initiators"] or not params["netmasks"]:
        raise errors.invalid_params()
    group = iscsi_state.InitiatorGroup(params["tag"])
    _add(group, params)
    layer.initiator_groups[group.tag] = group
    return True


def _initiator_group(target, params):
    try:
        return target.iscsi.initiator_groups[params["tag"]]
    except KeyError:
        raise errors.invalid_params() from None


@registry.method("iscsi_initiator_group_add_initiators")
def add_initiators(target, params, request):
    """Add initiators and netmasks to a group."""
    _add(_initiator_group(target, params), params)
    return True


@registry.method("iscsi_initiator_group_remove_initiators")
def remove_initiators(target, params, request):
    """Remove initiators and netmasks from a group, all or none."""
    group = _initiator_group(target, params)
    initiators = params.get("initiators", [])
    netmasks = params.get("netmasks", [])
    if not set(initiators) <= set(group.initiators) \
            or not set(netmasks) <= set(group.netmasks):
        raise errors.invalid_params()
    for item in initiators:
        group.initiators.remove(item)
    for item in netmasks:
        group.netmasks.remove(item)
    return True


@registry.method("iscsi_delete_initiator_group")
def delete_initiator_group(target, params, request):
    """Remove an initiator group, also from the target nodes' maps."""
    layer = target.iscsi
    if layer.initiator_groups.pop(params["tag"], None) is None:
        raise errors.invalid_params()
    layer.drop_maps(lambda pair: pair[1] == params["tag"])
    return True


# Authentication groups.

def _secret(params):
    secret = {"user": params["user"], "secret": params["secret"]}
    if params.get("muser"):
        secret["muser"] = params["muser"]
        secret["msecret"] = params.get("msecret", "")
    return secret


def _group(target, tag):
    try:
        return target.iscsi.auth_groups[tag]
    except KeyError:
        raise errors.invalid_params(
            f"Could not find auth group ({tag})") from None


@registry.method("iscsi_get_auth_groups")
def get_auth_groups(target, params, request):
    """List the authentication groups."""
    return [{"tag": tag, "secrets": [dict(item) for item in secrets]}
            for tag, secrets in target.iscsi.auth_groups.items()]


@registry.method("iscsi_create_auth_group")
def create_auth_group(target, params, request):
    """Make an authentication group."""
    tag = params["tag"]
    if tag in target.iscsi.auth_groups:
        raise errors.invalid_params(
            f"Could not add auth group ({tag}), {os.strerror(errno.EEXIST)}")
    secrets = []
    for item in params.get("secrets", ()):
        _add_secret(tag, secrets, item)
    target.iscsi.auth_groups[tag] = secrets
    return True


def _add_secret(tag, secrets, item):
    number = 0
    if item.get("muser") is not None and item.get("msecret") is None:
        number = errno.EINVAL
    elif any(known["user"] == item["user"] for known in secrets):
        number = errno.EEXIST
    if number:
        raise errors.invalid_params(
            f"Could not add secret to auth group ({tag}), "
            f"{os.strerror(number)}")
    secrets.append(_secret(item))


@registry.method("iscsi_delete_auth_group")
def delete_auth_group(target, params, request):
    """Remove an authentication group."""
    _group(target, params["tag"])
    del target.iscsi.auth_groups[params["tag"]]
    return True


@registry.method("iscsi_auth_group_add_secret")
def auth_group_add_secret(target, params, request):
    """Add a user to an authentication group."""
    _add_secret(params["tag"], _group(target, params["tag"]), params)
    return True


@registry.method("iscsi_auth_group_remove_secret")
def auth_group_remove_secret(target, params, request):
    """Remove a user from an authentication group."""
    secrets = _group(target, params["tag"])
    for item in secrets:
        if item["user"] == params["user"]:
            secrets.remove(item)
            return True
    raise errors.invalid_params(
        f"Could not delete secret from CHAP group ({params['tag']}), "
        f"{os.strerror(errno.ENODEV)}")
