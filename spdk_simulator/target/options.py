# SPDX-License-Identifier: Apache-2.0

"""Options of a target's parts: what ``*_set_options`` sets.

Defaults, and which options a release has, are data (``data/facts.json``,
recorded); the nearest recorded release stands for the others, with what of
them is read from SPDK's sources (``between``).
"""

import copy

from spdk_simulator.bdev import common
from spdk_simulator.jsonrpc import registry
from spdk_simulator import release as releases
from spdk_simulator.target import keyring

# The order of the last subsystems of spdk_tgt.
_MERGED = ("bdev", "nvmf", "nbd", "vhost_blk", "scsi", "iscsi",
           "vhost_scsi", "vhost")


# What options of iSCSI were called up to v18.07; None: there was none.
_ISCSI_UNTIL_V18_07 = {
    "disable_chap": "no_discovery_auth",
    "require_chap": "req_discovery_auth",
    "mutual_chap": "req_discovery_auth_mutual",
    "chap_group": "discovery_auth_group", "first_burst_length": None}


class Options:
    """The options of one target.

    :ivar calls: method (``sock_impl_set_options:posix`` for each socket
        implementation) -> parameters that make the present state.
    :ivar keys: the :class:`.keyring.Keyring`.
    :ivar log_flags: flag -> whether it is on.
    """

    def __init__(self, target):
        self.target = target
        self.facts = copy.deepcopy(
            releases.data("facts")["releases"][target.release.recorded])
        self._of_later_release()
        for tag, facts in releases.data("facts")["until"].items():
            if target.release.until(tag):
                self._replace(facts)
        self._of_program()
        types = self.facts["notify_get_types"]
        if target.release >= 2509 and "bdev_resize" not in types:
            types.append("bdev_resize")
        self.calls = self.facts["config"]
        self._of_release_between()
        self.log_flags = self.facts["log_get_flags"]
        self.keys = keyring.Keyring()
        self.crypto_keys = {}
        self.fsdevs = {}
        self.vmd = False
        self.keyring_linux = False
        self.monitor = True
        self.accel_errors = {}
        self.accel_overrides = {}
        self.fsdev_options = {"fsdev_io_pool_size": 65535,
                              "fsdev_io_cache_size": 256}

    def fact(self, name):
        """What the release answers to a method.

        A release that has the method, and of which no answer was recorded,
        answers as the nearest one does of which there is one.

        :param name: the method.
        """
        if name not in self.facts:
            known = [(abs(releases.Release(tag).index
                          - self.target.release.index), tag)
                     for tag, facts in releases.data("facts")[
                         "releases"].items() if name in facts]
            self.facts[name] = copy.deepcopy(releases.data("facts")[
                "releases"][min(known)[1]][name])
        return self.facts[name]

    def _of_later_release(self):
        """Take what changed after the nearest recorded release."""
        release = self.target.release
        own = releases.data("facts")["between"].get(
            f"v{release.major:02d}.{release.minor:02d}", {})
        self.facts["config"].update(copy.deepcopy(own))
        for tag, facts in releases.data("facts")["later"].items():
            if release >= releases.Release(tag):
                self.facts.update(copy.deepcopy(facts))
        if release >= 2609:
            config = self.facts["config"]["nvmf_set_config"]
            del config["discovery_filter"]
            self.facts["config"]["nvmf_set_config"] = {
                "discovery_filters": [], **config}

    def _replace(self, facts):
        """Take what an older release tells otherwise."""
        facts = copy.deepcopy(facts)
        config = {**self.facts["config"], **facts.pop("config")}
        self.facts.update(facts, config=config)

    def _of_release_between(self):
        """Leave out options that the release does not have yet."""
        for method, options in releases.data("facts")["since"].items():
            known = self.calls.get(method, {})
            for name, first in options.items():
                if self.target.release < releases.Release(first):
                    known.pop(name, None)
            if not known:
                self.calls.pop(method, None)

        iscsi = self.calls.get("iscsi_set_options")
        if iscsi and self.target.release < 1810:
            names = {name: _ISCSI_UNTIL_V18_07.get(name, name)
                     for name in iscsi}
            self.calls["iscsi_set_options"] = {
                names[name]: value for name, value in iscsi.items()
                if names[name]}

    def _of_program(self):
        """Take what is told otherwise by other programs than nvmf_tgt."""
        own = self.facts.get("programs", {}).get(self.target.app)
        if own is None:
            return
        groups = self.facts["trace_get_tpoint_group_mask"]
        self.facts.update(own)
        self.facts["trace_get_tpoint_group_mask"] = {
            name: groups[name] if group is None else group for name, group
            in self.facts["trace_get_tpoint_group_mask"].items()}

    def subsystems(self):
        """The reply of ``framework_get_subsystems``."""
        recorded = self.facts["subsystems"]
        if self.target.app in recorded:
            return recorded[self.target.app]
        merged = {item["subsystem"]: item
                  for app in ("vhost", "nvmf_tgt", "iscsi_tgt")
                  for item in recorded[app]}
        return sorted(merged.values(), key=lambda item: (
            _MERGED.index(item["subsystem"])
            if item["subsystem"] in _MERGED else -1))

    def update(self, method, params):
        """Set those of the options that the release has.

        :param method: a key of :attr:`calls`.
        """
        options = self.calls.get(method, {})
        for name, value in params.items():
            if isinstance(options.get(name), dict) \
                    and isinstance(value, dict):
                options[name] = {**options[name], **value}
            elif name in options:
                options[name] = value

    def ordered_overrides(self):
        """(operation, module) pairs in the order of the operations."""
        return [(name, self.accel_overrides[name])
                for name in self.facts.get("accel_get_opc_assignments", ())
                if name in self.accel_overrides]

    def assign_operations(self):
        """Initialize acceleration: operations get the modules asked for.

        :returns: whether all of the modules can do them.
        """
        modules = {item["module"]: item["supported ops"] for item in
                   self.facts.get("accel_get_module_info", ())}
        assignments = self.facts.get("accel_get_opc_assignments", {})
        for operation, module in self.accel_overrides.items():
            if operation not in modules.get(module, ()):
                return False
            assignments[operation] = module
        return True

    def call(self, method):
        """The call that makes the present state, or None without such."""
        if method not in self.calls:
            return None
        return {"method": method.partition(":")[0],
                "params": self.calls[method]}

    def saved(self, *methods):
        """The calls that set options, as the release writes them.

        What is known of the nearest recorded release may be more than this
        one has.
        """
        release = self.target.release
        result = []
        for call in filter(None, map(self.call, methods)):
            name = common.name(release, call["method"])
            known = registry.fields(name, release)
            if known is not None:
                result.append({"method": name, "params": {
                    key: value for key, value in call["params"].items()
                    if key in known}})
        return result
