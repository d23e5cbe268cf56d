# SPDX-License-Identifier: Apache-2.0

"""The calls that make the state of the NVMe-oF target again."""

from spdk_simulator.bdev import common


# What up to v20.10 was written of a transport behind what all have.
_NOT_YET = {"c2h_success": 2010, "sock_priority": 2010,
            "abort_timeout_sec": 2007}


def calls(target):
    """Write them; lists within the list may run together."""
    layer = target.nvmf
    result = target.options.saved(
        "nvmf_set_config", "nvmf_set_max_subsystems", "nvmf_set_crdt")
    # Only of the target that the program made itself.
    for tgt in list(layer.tgts.values())[:1]:
        for trtype, given in tgt.transports.items():
            names = list(given)
            if target.release < 2101:
                names = names[:names.index("max_aq_depth") + 1] + [
                    name for name, since in _NOT_YET.items()
                    if target.release >= since and name in given]
            result.append({"method": "nvmf_create_transport",
                           "params": {"trtype": trtype, **{
                               name: given[name] for name in names}}})
        result += [{"method": "nvmf_discovery_add_referral", "params": {
            "address": dict(entry["address"]),
            "secure_channel": entry["secure"], "subnqn": entry["subnqn"]}}
            for entry in tgt.referrals if target.release >= 2401]
        result += _subsystems(target, layer.subsystems(tgt))
    return result


def _subsystems(target, subsystems):
    """Creation, then hosts, namespaces, listeners, each for all."""
    if target.release < 2605:
        result = []
        for subsystem in subsystems:
            if subsystem.discovery and target.release < 2401:
                continue
            hosts = _hosts(subsystem)
            namespaces = _namespaces(target, subsystem)
            listeners = _listeners(target, subsystem)
            if not subsystem.discovery:
                result.append(_create(target, subsystem))
            if target.release < 2209:
                result += listeners + hosts + namespaces
            else:
                result += hosts + namespaces + listeners
        return result
    creates = [_create(target, subsystem) for subsystem in subsystems
               if not subsystem.discovery]
    hosts, namespaces, visible, listeners = [], [], [], []
    for subsystem in subsystems:
        hosts += _hosts(subsystem)
        namespaces += _namespaces(target, subsystem)
        for nsid, namespace in sorted(subsystem.namespaces.items()):
            visible += _visible(subsystem, nsid, namespace)
        listeners += _listeners(target, subsystem)
    return [creates, hosts, namespaces, visible, listeners]


def _create(target, subsystem):
    release = target.release
    params = {"nqn": subsystem.nqn,
              "allow_any_host": subsystem.allow_any_host,
              "serial_number": subsystem.serial}
    if release >= 1904:
        params["model_number"] = subsystem.model
    if subsystem.admin_label:
        params["admin_label"] = subsystem.admin_label
    if subsystem.max_namespaces:
        params["max_namespaces"] = subsystem.max_namespaces
    if release >= 2107:
        params["min_cntlid"] = subsystem.min_cntlid
        params["max_cntlid"] = subsystem.max_cntlid
    if release >= 2110:
        params["ana_reporting"] = subsystem.ana_reporting
    if release >= 2605:
        params["dmrsl"] = subsystem.dmrsl
        params["wzsl"] = subsystem.wzsl
    elif release >= 2601:
        params.update(subsystem.extra)
    if release >= 2601:
        params["passthrough"] = subsystem.passthrough
        params["enable_nssr"] = subsystem.enable_nssr
    return {"method": common.name(release, "nvmf_create_subsystem"),
            "params": params}


def _hosts(subsystem):
    if subsystem.discovery:
        return []
    return [{"method": "nvmf_subsystem_add_host",
             "params": {"nqn": subsystem.nqn, "host": host, **keys,
                        **({"psk": subsystem.psks[host]}
                           if host in subsystem.psks else {})}}
            for host, keys in reversed(subsystem.hosts.items())]


def _namespaces(target, subsystem):
    result = []
    for nsid, namespace in sorted(subsystem.namespaces.items()):
        params = {"nsid": nsid, "bdev_name": namespace.bdev.name}
        if namespace.ptpl_file:
            params["ptpl_file"] = namespace.ptpl_file
        if namespace.nguid.strip("0"):
            params["nguid"] = namespace.nguid
        if namespace.eui64.strip("0"):
            params["eui64"] = namespace.eui64
        params["uuid"] = namespace.uuid
        if subsystem.ana_reporting and target.release >= 2110:
            params["anagrpid"] = namespace.anagrpid
        if target.release >= 2405:
            params["no_auto_visible"] = namespace.no_auto_visible
        result.append({"method": "nvmf_subsystem_add_ns",
                       "params": {"nqn": subsystem.nqn,
                                  "namespace": params}})
        if 2409 <= target.release < 2605:
            result += _visible(subsystem, nsid, namespace)
    return result


def _visible(subsystem, nsid, namespace):
    return [{"method": "nvmf_ns_add_host",
             "params": {"nqn": subsystem.nqn, "nsid": nsid, "host": host}}
            for host in namespace.hosts]


def _listeners(target, subsystem):
    result = []
    for listener in subsystem.listeners:
        params = {"nqn": subsystem.nqn, "listen_address":
                  dict(listener.address)}
        if target.release >= 2309:
            params["secure_channel"] = listener.secure_channel
        params.update(listener.params)
        result.append({"method": "nvmf_subsystem_add_listener",
                       "params": params})
    return result
