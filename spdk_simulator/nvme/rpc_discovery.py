# SPDX-License-Identifier: Apache-2.0
"""Discovery services that are followed (``bdev_nvme_start_discovery``).

The first look is a second after the start, as in SPDK. What a discovery
service of this same target tells is attached then: each subsystem that
listens somewhere, under the name given and a number.
"""

import errno

from spdk_simulator import errors
from spdk_simulator.jsonrpc import registry
from spdk_simulator.nvme import rpc as nvme_rpc
from spdk_simulator.nvmf import state as nvmf_state

_PERIOD = 1.0


class Service:
    """One discovery service."""

    def __init__(self, target, name, trid, params, request):
        self.target = target
        self.name = name
        self.trid = trid
        self.params = params
        self.request = request
        self.referrals = [trid]
        self.names = []
        self.stopped = False
        self.timeout = params.get("attach_timeout_ms", 0) / 1000
        self.waited = 0.0
        target.server.later(_PERIOD, self.look)

    def look(self):
        """Connect, or try again in a second."""
        if self.stopped:
            return
        self.waited += _PERIOD
        if self.timeout and self.waited > self.timeout:
            _services(self.target).remove(self)
            self.stopped = True
            self.answer(-errno.ETIMEDOUT)
            return
        tgt = self._found()
        if tgt is None:
            self.target.server.later(_PERIOD, self.look)
            return
        self._attach(tgt)
        self.answer(0)

    def answer(self, status):
        """Answer a call that waits for the first attach."""
        if self.request is not None:
            request, self.request = self.request, None
            if status:
                error = errors.system(-status)
                request.error(error.code, error.message)
            else:
                request.result(True)

    def _found(self):
        layer = self.target.nvmf
        for tgt in layer.tgts.values() if layer else ():
            for subsystem in tgt.subsystems.values():
                for listener in subsystem.listeners:
                    if all(listener.address.get(key, "")
                           == self.trid.get(key, "") for key in
                           ("trtype", "adrfam", "traddr", "trsvcid")):
                        return tgt
        return None

    def _attach(self, tgt):
        module = nvme_rpc.module_of(self.target)
        hostnqn = self.params.get("hostnqn") or module.hostnqn
        params = {"multipath": "multipath"}
        if self.params.get("hostnqn"):
            params["hostnqn"] = self.params["hostnqn"]
        for subsystem in list(tgt.subsystems.values()):
            if subsystem.discovery or not subsystem.listeners or not (
                    subsystem.allow_any_host
                    or hostnqn in subsystem.hosts):
                continue
            name = f"{self.name}{len(self.names)}"
            self.names.append(name)
            first, *others = [dict(listener.address) for listener
                              in subsystem.listeners]
            if name not in module.controllers:
                controller = module.attach(name, first, subsystem, params)
                controller.more += others

    def facts(self):
        """One element of ``bdev_nvme_get_discovery_info``."""
        return {"name": self.name, "trid": self.trid,
                "referrals": [{"trid": trid} for trid in self.referrals]}


def _services(target):
    module = nvme_rpc.module_of(target)
    if not hasattr(module, "discovery"):
        module.discovery = []
    return module.discovery


@registry.method("bdev_nvme_start_discovery")
def start_discovery(target, params, request):
    """Follow a discovery service."""
    address = nvme_rpc.address_of(target.release, params)
    trid = {**address, "subnqn": nvmf_state.DISCOVERY}
    services = _services(target)
    for service in services:
        if service.name == params["name"] or trid in service.referrals:
            raise errors.exists()
    wait = params.get("wait_for_attach") or params.get("attach_timeout_ms")
    services.append(Service(target, params["name"], trid, params,
                            request if wait else None))
    return registry.PENDING if wait else True


@registry.method("bdev_nvme_stop_discovery")
def stop_discovery(target, params, request):
    """Stop to follow one; what it attached goes."""
    services = _services(target)
    for service in services:
        if service.name == params["name"]:
            break
    else:
        raise errors.system(errno.ENOENT)
    if service.stopped:
        raise errors.system(errno.EALREADY)
    service.stopped = True
    module = nvme_rpc.module_of(target)
    for name in service.names:
        if name in module.controllers:
            module.detach(module.controllers[name], lambda: None)

    def gone():
        services.remove(service)
        request.result(True)

    target.server.later(_PERIOD if service.waited == 0 else 0.001, gone)
    return registry.PENDING


@registry.method("bdev_nvme_get_discovery_info")
def discovery_info(target, params, request):
    """Tell which discovery services are followed."""
    return [service.facts() for service in _services(target)]
