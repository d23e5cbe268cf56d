# SPDX-License-Identifier: Apache-2.0

"""The iSCSI target's state (``lib/iscsi``)."""

import re

from spdk_simulator import errors
from spdk_simulator.nvmf import state as nvmf_state

MAX_NAME = 223
WILDCARD = {"*": "0.0.0.0"}  # noqa: S104  # nosec B104
MAX_MAPS = 256
# What the options of iscsi_set_options may be.
_MOST = 2 ** 32 - 1
_RANGES = {
    "max_sessions": (1, 65535), "max_connections_per_session": (1, 65535),
    "max_queue_depth": (1, 256), "default_time2wait": (0, 3600),
    "default_time2retain": (0, 3600), "first_burst_length": (512, 2 ** 20),
    "error_recovery_level": (0, 2), "nop_timeout": (0, _MOST),
    "nop_in_interval": (0, 60), "max_large_datain_per_connection": (
        1, _MOST), "max_r2t_per_connection": (1, _MOST),
    "pdu_pool_size": (1, _MOST), "immediate_data_pool_size": (1, _MOST),
    "data_out_pool_size": (1, _MOST)}
_BAD = re.compile(r"[\x01-\x2c\x2f\x3b-\x40\x5b-\x60\x7b-\x7f]")


def check_name(name):
    """Tell whether SPDK takes a text as an iSCSI name."""
    if len(name.encode()) > MAX_NAME or _BAD.search(name):
        return False
    if name.lower().startswith("iqn."):
        return re.match(r"....[0-9]{4}-[0-9]{2}\.", name) is not None
    return True


def max_luns(release):
    """How many LUNs a target node may have."""
    return 256 if release >= 2110 else 64


#: What CHAP parameters were called in v18.01, when they were numbers.
OLD_CHAP = {"chap_disabled": "disable_chap", "chap_required": "require_chap",
            "chap_mutual": "mutual_chap", "chap_auth_group": "chap_group"}


def current_chap(params):
    """Give CHAP parameters the names that they have since v18.04."""
    return {OLD_CHAP.get(name, name): value
            for name, value in params.items()}


def chap_is_valid(params):
    """Tell whether CHAP parameters go together."""
    disable = params.get("disable_chap", False)
    require = params.get("require_chap", False)
    mutual = params.get("mutual_chap", False)
    if params.get("chap_group", 0) < 0:
        return False
    return (disable, require, mutual) in (
        (False, False, False), (True, False, False),
        (False, True, False), (False, True, True))


def chap(params):
    """The CHAP parameters with their defaults, as they are shown."""
    return {"disable_chap": params.get("disable_chap", False),
            "require_chap": params.get("require_chap", False),
            "mutual_chap": params.get("mutual_chap", False),
            "chap_group": params.get("chap_group", 0)}


def _address(portal):
    """Host and port that are listened on, however they are written."""
    host = portal["host"]
    return (host.strip("[]") if ":" in host else host,
            int(portal["port"] or 0) % 65536)


class PortalGroup:
    """Addresses that are listened on."""

    def __init__(self, tag, portals, private):
        self.tag = tag
        self.portals = portals
        self.private = private
        self.chap = chap({})
        self.opened = False

    def facts(self, release):
        """As shown and as configured."""
        facts = {"tag": self.tag,
                 "portals": [dict(portal) for portal in self.portals]}
        if release < 1807:
            return {"portals": facts["portals"], "tag": self.tag}
        if release >= 2010:
            facts["private"] = self.private
        return facts


class InitiatorGroup:
    """Initiators that are let in, by name and by network."""

    def __init__(self, tag):
        self.tag = tag
        self.initiators = []
        self.netmasks = []

    def facts(self, release):
        """As shown and as configured."""
        facts = {"initiators": list(self.initiators), "tag": self.tag,
                 "netmasks": list(self.netmasks)}
        return facts if release < 1807 else {"tag": self.tag, **facts}


class Node:
    """A target node.

    :ivar maps: list of (portal group's tag, [initiator groups' tags]).
    """

    def __init__(self, name, alias, device):
        self.name = name
        self.alias = alias
        self.device = device
        self.maps = []
        self.queue_depth = 64
        self.chap = chap({})
        self.header_digest = False
        self.data_digest = False
        self.openers = {}
        self.redirects = {}
        self.histogram = False

    def pairs(self):
        """All (portal group, initiator group) pairs, in order."""
        return [(pg, ig) for pg, groups in self.maps for ig in groups]

    def facts(self, release):
        """As shown and as configured."""
        facts = {"name": self.name}
        if self.alias:
            facts["alias_name"] = self.alias
        facts["pg_ig_maps"] = [{"pg_tag": pg, "ig_tag": ig}
                               for pg, ig in self.pairs()]
        number = "lun_id" if release >= 1807 else "id"
        facts["luns"] = [{"bdev_name": bdev.name, number: lun}
                         for lun, bdev in sorted(self.device.luns.items())]
        facts["queue_depth"] = self.queue_depth
        if release >= 1804:
            facts.update(self.chap)
        else:
            facts.update((old, int(self.chap[name]))
                         for old, name in OLD_CHAP.items())
        facts["header_digest"] = self.header_digest
        facts["data_digest"] = self.data_digest
        return facts


class Layer:
    """All iSCSI objects of a target."""

    def __init__(self, target):
        self.target = target
        self.portal_groups = {}
        self.initiator_groups = {}
        self.nodes = {}
        self.auth_groups = {}
        self.options_set = False
        self.auth_file = None

    @property
    def options(self):
        """The options of ``iscsi_set_options``."""
        return self.target.options.calls["iscsi_set_options"]

    def shown_options(self):
        """The options as they are told: a file only if there is one."""
        given = {} if self.auth_file is None else {
            "auth_file": self.auth_file}
        return {**given, **self.options}

    def options_are_valid(self):
        """Tell whether iSCSI can start with them (iscsi_opts_verify())."""
        options = self.options
        if self.target.release < 2001:
            return True
        return all(low <= options.get(name, low) <= high
                   for name, (low, high) in _RANGES.items()) \
            and chap_is_valid(options)

    def start(self):
        """Nothing is made at the start."""

    def shut_down(self):
        """Nothing of it is outside of the process."""

    # Portals.

    def portals_are_free(self, portals):
        """Tell whether portals are well-formed and nobody's."""
        known = [(portal["host"], portal["port"])
                 for group in self.portal_groups.values()
                 for portal in group.portals]
        for portal in portals:
            pair = (portal["host"], portal["port"])
            strict = self.target.release >= 2401
            # An empty port is any, up to v23.09.
            port = portal["port"] or ("" if strict else "3260")
            if not portal["host"] or pair in known \
                    or not port.isdigit() or not int(port) \
                    or len(port) > 32 or (strict and int(port) > 65535):
                return False
            known.append(pair)
        return True

    def can_open(self, group):
        """Tell whether all portals of a group can be listened on."""
        listening = {_address(portal) for other
                     in self.portal_groups.values()
                     for portal in other.portals}
        for portal in group.portals:
            family = "IPv6" if ":" in portal["host"] else "IPv4"
            host, port = address = _address(portal)
            if address in listening:
                return False
            listening.add(address)
            if not nvmf_state.can_listen({"adrfam": family, "traddr": host,
                                          "trsvcid": str(port)}):
                return False
        return True

    # Target nodes.

    def full_name(self, name):
        """A node's name with the node base in front, if it has none."""
        if name[:4].lower() in ("iqn.", "eui.", "naa."):
            return name
        return f"{self.options['node_base']}:{name}"

    def node(self, name, text=None):
        """Find a node.

        :raises errors.CallError: -32602.
        """
        if name not in self.nodes:
            raise errors.invalid_params(text or "Invalid parameters")
        return self.nodes[name]

    def add_maps(self, node, maps):
        """Let initiator groups in through portal groups, all or none.

        :raises errors.CallError: -32602.
        """
        before = [(pg, list(groups)) for pg, groups in node.maps]
        for item in maps:
            pg, ig = item["pg_tag"], item["ig_tag"]
            if pg not in self.portal_groups \
                    or ig not in self.initiator_groups \
                    or (pg, ig) in node.pairs():
                node.maps = before
                raise errors.invalid_params()
            for tag, groups in node.maps:
                if tag == pg:
                    groups.append(ig)
                    break
            else:
                node.maps.append((pg, [ig]))

    def remove_maps(self, node, maps):
        """Take that back, all or none.

        :raises errors.CallError: -32602.
        """
        pairs = [(item["pg_tag"], item["ig_tag"]) for item in maps]
        if any(pair not in node.pairs() for pair in pairs):
            raise errors.invalid_params()
        self.drop_maps(lambda pair: pair in pairs, node)

    def drop_maps(self, unwanted, *nodes):
        """Remove the maps of some nodes, or of all, that are unwanted."""
        for node in nodes or self.nodes.values():
            node.maps = [
                (pg, kept) for pg, groups in node.maps
                if (kept := [ig for ig in groups
                             if not unwanted((pg, ig))])]

    def add_lun(self, node, bdev_name, lun):
        """Put a bdev behind a node; -1 picks the LUN.

        :raises errors.CallError: -32602.
        """
        bdev = self.target.bdevs.find(bdev_name)
        most = max_luns(self.target.release)
        if lun == -1:
            free = [number for number in range(most)
                    if number not in node.device.luns]
            lun = free[0] if free else most
        if bdev is None or bdev.removing or bdev.claim is not None \
                or not 0 <= lun < most:
            raise errors.invalid_params()
        if lun in node.device.luns:
            if self.target.release >= 2110:
                raise errors.invalid_params()
            self.remove_lun(node, lun)

        def removed(_bdev):
            self.remove_lun(node, lun)

        node.device.luns[lun] = bdev
        node.openers[lun] = removed
        bdev.openers.append(removed)

    def remove_lun(self, node, lun):
        """Take a bdev away from a node."""
        bdev = node.device.luns.pop(lun)
        bdev.openers.remove(node.openers.pop(lun))
        self.target.bdevs.closed(bdev)

    def remove_node(self, node):
        """Remove a node."""
        for lun in list(node.device.luns):
            self.remove_lun(node, lun)
        self.target.scsi.remove(node.device)
        self.nodes.pop(node.name, None)
