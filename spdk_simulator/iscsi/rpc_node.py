# SPDX-License-Identifier: Apache-2.0

"""``iscsi_*`` methods on target nodes (``lib/iscsi/iscsi_rpc.c``)."""

import base64
import errno
import os

from spdk_simulator import errors
from spdk_simulator.iscsi import state as iscsi_state
from spdk_simulator.jsonrpc import registry
from spdk_simulator.nvmf import state as nvmf_state


def _pairs(first, second):
    """Two arrays side by side.

    :raises errors.CallError: -32602 if one is longer.
    """
    if len(first) != len(second):
        raise errors.invalid_params()
    return list(zip(first, second, strict=True))


def _maps(params):
    """Which groups belong together; two arrays side by side in v18.01."""
    if "pg_ig_maps" in params:
        return params["pg_ig_maps"]
    return [{"pg_tag": portal, "ig_tag": initiator} for portal, initiator
            in _pairs(params["pg_tags"], params["ig_tags"])]


def _luns(params):
    """(LUN, name of a bdev); two arrays side by side in v18.01."""
    if "luns" in params:
        return [(item.get("lun_id", 0), item.get("bdev_name"))
                for item in params["luns"]]
    return _pairs(params["lun_ids"], params["bdev_names"])


@registry.method("iscsi_get_target_nodes")
def get_target_nodes(target, params, request):
    """Describe the target nodes."""
    return [node.facts(target.release)
            for node in target.iscsi.nodes.values()]


@registry.method("iscsi_create_target_node")
def create_target_node(target, params, request):
    """Make a target node."""
    layer = target.iscsi
    params = iscsi_state.current_chap(params)
    name = layer.full_name(params["name"])
    luns = _luns(params)
    maps = _maps(params)
    if name in layer.nodes or not iscsi_state.check_name(name) \
            or not iscsi_state.chap_is_valid(params) \
            or not luns or 0 not in [lun for lun, _ in luns] \
            or any(not 0 <= lun < iscsi_state.max_luns(target.release)
                   for lun, _ in luns) \
            or not 0 < len(maps) <= iscsi_state.MAX_MAPS \
            or len((params.get("alias_name") or "").encode()) \
            > iscsi_state.MAX_NAME:
        raise errors.invalid_params()
    device = target.scsi.add(name)
    node = iscsi_state.Node(name, params.get("alias_name"), device)
    try:
        for lun, bdev_name in luns:
            layer.add_lun(node, bdev_name, lun)
        layer.add_maps(node, maps)
    except errors.CallError:
        layer.remove_node(node)
        raise
    node.chap = iscsi_state.chap(params)
    most = layer.options["max_queue_depth"]
    depth = params["queue_depth"]
    node.queue_depth = depth if 0 < depth <= most else most
    # Numbers in v18.01.
    nothing = 0 if target.release < 1804 else False
    node.header_digest = params.get("header_digest", nothing)
    node.data_digest = params.get("data_digest", nothing)
    layer.nodes[name] = node
    return True


@registry.method("iscsi_delete_target_node")
def delete_target_node(target, params, request):
    """Remove a target node."""
    layer = target.iscsi
    node = layer.nodes.get(params["name"])
    if node is None:
        if target.release < 1904:
            raise errors.invalid_params()
        if target.release < 2305:
            return False
        raise errors.system(errno.ENOENT)

    def remove():
        layer.remove_node(node)
        return True

    target.answer_later(request, remove)
    return registry.PENDING


@registry.method("iscsi_target_node_add_lun")
def add_lun(target, params, request):
    """Put a bdev behind a target node."""
    layer = target.iscsi
    node = layer.node(params["name"])
    lun = params.get("lun_id", -1)
    if lun < -1:
        raise errors.invalid_params()
    layer.add_lun(node, params["bdev_name"], lun)
    return True


@registry.method("iscsi_target_node_add_pg_ig_maps")
def add_maps(target, params, request):
    """Let initiator groups in through portal groups."""
    layer = target.iscsi
    layer.add_maps(layer.node(params["name"]), _maps(params))
    return True


@registry.method("iscsi_target_node_remove_pg_ig_maps")
def remove_maps(target, params, request):
    """Take that back."""
    layer = target.iscsi
    layer.remove_maps(layer.node(params["name"]), _maps(params))
    return True


@registry.method("iscsi_target_node_set_auth")
def set_auth(target, params, request):
    """Set the authentication of a target node."""
    node = target.iscsi.node(params["name"],
                             f"Could not find target {params['name']}")
    if not iscsi_state.chap_is_valid(params):
        raise errors.invalid_params("Invalid combination of auth params")
    node.chap = iscsi_state.chap(params)
    return True


@registry.method("iscsi_target_node_set_redirect")
def set_redirect(target, params, request):
    """Send initiators of a portal group to another address."""
    name = params["name"]
    layer = target.iscsi
    node = layer.node(name, f"Target {name} is not found")
    group = layer.portal_groups.get(params["pg_tag"])
    host, port = params.get("redirect_host"), params.get("redirect_port")
    bad = (group is None or group.private
           or params["pg_tag"] not in [pg for pg, _ in node.maps]
           or (host is None) != (port is None))
    if not bad and host is not None:
        bad = not port.isdigit() or not nvmf_state.is_address(host) \
            or (target.release >= 2605 and {
                "host": host, "port": port} in group.portals)
    if bad:
        raise errors.invalid_params(
            f"Failed to redirect target {name}, (-22): "
            f"{os.strerror(errno.EINVAL)}")
    node.redirects[params["pg_tag"]] = (host, port)
    return True


@registry.method("iscsi_target_node_request_logout")
def request_logout(target, params, request):
    """Ask initiators to log out: there are none."""
    target.iscsi.node(params["name"],
                      f"Target {params['name']} is not found")
    return True


@registry.method("iscsi_get_connections")
def get_connections(target, params, request):
    """List the connections: nobody can log in to the simulator."""
    target.answer_later(request, list)
    return registry.PENDING


@registry.method("iscsi_get_stats")
def get_stats(target, params, request):
    """Count the connections by state."""
    reply = dict.fromkeys(("invalid", "running", "exiting", "exited"), 0)
    target.answer_later(request, lambda: reply)
    return registry.PENDING


@registry.method("iscsi_enable_histogram")
def enable_histogram(target, params, request):
    """Begin or end to count latencies of a target node."""
    target.iscsi.node(params["name"]).histogram = params["enable"]
    target.answer_later(request, lambda: True)
    return registry.PENDING


@registry.method("iscsi_get_histogram")
def get_histogram(target, params, request):
    """Tell the buckets of a target node."""
    node = target.iscsi.node(params["name"], "target not found")
    if not node.histogram:
        raise errors.invalid_params(
            "target's histogram function is not enabled")
    buckets = base64.b64encode(bytes(58 * 128 * 8)).decode()
    if target.release >= 2505:
        return {"histogram": buckets, "granularity": 7, "min_range": 0,
                "max_range": 57, "tsc_rate": target.tick_rate}
    return {"histogram": buckets, "bucket_shift": 7,
            "tsc_rate": target.tick_rate}
