# SPDX-License-Identifier: Apache-2.0

"""The configuration that makes a target's state again
(``framework_get_config``, ``save_config``)."""

from spdk_simulator.jsonrpc import registry

# Subsystems that had no configuration to write.
_SILENT = ("copy", "interface", "net_framework", "vmd")


def calls(target, name, batches=False):
    """Write the calls of one subsystem.

    :param name: the subsystem.
    :param batches: whether calls that may run together are grouped
        (``with_batches``, v26.05).
    :returns: list of calls, or None where SPDK writes ``null``.
    """
    release = target.release
    if name == "scsi" or (release < 1910 and name in _SILENT):
        return None
    writer = _WRITERS.get(name)
    if writer is None:
        return []
    groups = writer(target)
    if batches:
        return groups
    flat = []
    for item in groups:
        if isinstance(item, list):
            flat += item
        else:
            flat.append(item)
    # Up to v18.04 there are no methods for options.
    return [call for call in flat
            if registry.fields(call["method"], release) is not None]


def _scheduler(target):
    return target.scheduler.calls()


def _sock(target):
    return target.options.saved("sock_set_default_impl", *[
        method for method in target.options.calls
        if method.startswith("sock_impl_")])


def _iobuf(target):
    return target.options.saved("iobuf_set_options")


def _accel(target):
    injected = [
        {"method": "accel_error_inject_error", "params": {
            "opcode": name, **error}}
        for name, error in target.options.accel_errors.items()]
    overrides = [
        {"method": "accel_assign_opc",
         "params": {"opname": name, "module": module}}
        for name, module in target.options.ordered_overrides()]
    keys = [{"method": "accel_crypto_key_create", "params": dict(key)}
            for key in target.options.crypto_keys.values()]
    return target.options.saved("accel_set_options") + injected + overrides \
        + keys


def _fsdev(target):
    return [{"method": "fsdev_set_opts",
             "params": dict(target.options.fsdev_options)},
            *({"method": "fsdev_aio_create", "params": dict(fsdev)}
              for fsdev in target.options.fsdevs.values())]


def _keyring(target):
    kernel = [{"method": "keyring_linux_set_options",
               "params": {"enable": True}}] \
        if target.options.keyring_linux else []
    return [{"method": "keyring_file_add_key",
             "params": {"name": key["name"], "path": key["path"]}}
            for key in target.options.keys] + kernel


def _vmd(target):
    return [{"method": "vmd_enable", "params": {}}] \
        if target.options.vmd and target.release >= 2405 else []


def _bdev(target):
    """Options, then each module's calls, then what single bdevs add."""
    release = target.release
    layer = target.bdevs
    result = [{"method": _name(release, "bdev_set_options"),
               "params": dict(layer.options)}]
    for name in layer.examine_names:
        result.append({"method": "bdev_examine", "params": {"name": name}})
    modules = layer.modules
    for name in ("zone_block", "delay", "split", "error"):
        result += modules[name].config()
    result += target.options.saved("bdev_raid_set_options")
    result += modules["passthru"].config()
    own = {"malloc", "kvmalloc", "null", "aio", "raid"}
    if release >= 2605:
        for name in ("malloc", "null"):
            own.discard(name)
            result.append([bdev.config() for bdev in layer.list
                           if bdev.module == name])
    result += target.options.saved("bdev_nvme_set_options")
    result.append(modules["nvme"].config())
    result += modules["nvme"].policies()
    result += target.options.saved("bdev_nvme_set_hotplug")
    for bdev in layer.list:
        if bdev.module in own and bdev.config and bdev.config():
            result.append(bdev.config())
        result += _extras(release, bdev)
    if release >= 2101:
        result.append({"method": _name(release, "bdev_wait_for_examine")})
    return result


def _extras(release, bdev):
    """The calls that set what any bdev may have."""
    calls = []
    if any(bdev.qos.values()):
        calls.append({"method": _name(release, "bdev_set_qos_limit"),
                      "params": {"name": bdev.name, **{
                          key: value for key, value in bdev.qos.items()
                          if value}}})
    if bdev.histogram and release >= 2401:
        params = {"name": bdev.name, "enable": True}
        if bdev.histogram_opc is not None:
            params["opc"] = bdev.histogram_opc
        calls.append({"method": "bdev_enable_histogram", "params": params})
    return calls


def _name(release, method):
    from spdk_simulator.bdev import common
    return common.name(release, method)


def _nvmf(target):
    from spdk_simulator.nvmf import config as nvmf_config
    return nvmf_config.calls(target)


def _vhost_blk(target):
    result = []
    for controller in _controllers(target, "block"):
        if controller.bdev is None:
            result += filter(None, [_coalescing(controller)])
            continue
        params = {"ctrlr": controller.name,
                  "dev_name": controller.bdev.name,
                  "cpumask": controller.cpumask[2:],
                  "readonly": controller.readonly}
        if target.release >= 2205:
            params["transport"] = controller.transport
        result.append({"method": _name(target.release,
                                       "vhost_create_blk_controller"),
                       "params": params})
        result += filter(None, [_coalescing(controller)])
    return result


def _vhost_scsi(target):
    release = target.release
    result = []
    for controller in _controllers(target, "scsi"):
        params = {"ctrlr": controller.name,
                  "cpumask": controller.cpumask[2:]}
        if release >= 2401:
            params["delay"] = True
        result.append({"method": _name(release,
                                       "vhost_create_scsi_controller"),
                       "params": params})
        for number, device in sorted(controller.targets.items()):
            for bdev in device.luns.values():
                result.append({
                    "method": _name(release,
                                    "vhost_scsi_controller_add_target"),
                    "params": {"ctrlr": controller.name,
                               "scsi_target_num": number,
                               "bdev_name": bdev.name}})
        if release >= 2401:
            result.append({"method": "vhost_start_scsi_controller",
                           "params": {"ctrlr": controller.name}})
        if _coalescing(controller):
            result.append(_coalescing(controller))
    return result


def _coalescing(controller):
    if not controller.delay_base_us:
        return None
    return {"method": "vhost_controller_set_coalescing",
            "params": {"ctrlr": controller.name,
                       "delay_base_us": controller.delay_base_us,
                       "iops_threshold": controller.iops_threshold}}


def _controllers(target, kind):
    return [controller for controller in target.vhost.ordered()
            if controller.kind == kind]


def _vhost(target):
    return _vhost_blk(target) + _vhost_scsi(target)


def _iscsi(target):
    from spdk_simulator.iscsi import config as iscsi_config
    return iscsi_config.calls(target)


_WRITERS = {
    "scheduler": _scheduler, "sock": _sock, "iobuf": _iobuf,
    "accel": _accel, "keyring": _keyring, "vmd": _vmd,
    "bdev": _bdev, "nvmf": _nvmf,
    "vhost_blk": _vhost_blk, "vhost_scsi": _vhost_scsi, "vhost": _vhost,
    "iscsi": _iscsi, "fsdev": _fsdev,
}
