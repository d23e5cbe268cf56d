# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""Methods of old releases that no current one took the place of."""

from cyborg_spdk.simulator import errors
from cyborg_spdk.simulator.methods import nvmf as subsystems
from cyborg_spdk.simulator.methods import nvmf_transport
from cyborg_spdk.simulator import nvmf
from cyborg_spdk.simulator import registry


@registry.method("delete_bdev")
def delete_bdev(target, params, request):
    """Remove a bdev of any module (v17.03 to v19.01)."""
    bdev = target.bdevs.find(params["name"])
    if bdev is None or bdev.removing:
        if target.release < 1807:
            raise errors.invalid_params()
        raise errors.no_device(errors.INVALID_PARAMS)
    target.bdevs.unregister(bdev, lambda: request.result(True))
    return registry.PENDING


@registry.method("construct_nvmf_subsystem")
def construct_nvmf_subsystem(target, params, request):
    """Make a subsystem with all that belongs to it (until v18.10).

    A transport is made by the first listener. What fails takes the whole
    subsystem with it.
    """
    tgt = subsystems.find_tgt(target, params)
    nqn = params["nqn"]
    if nqn in tgt.subsystems or not nvmf.nqn_is_valid(nqn) \
            or len(tgt.subsystems) >= tgt.max_subsystems \
            or not nvmf.printable(params.get("serial_number", ""), 20):
        raise errors.invalid_params()
    subsystem = nvmf.Subsystem(nqn, False,
                               params.get("max_namespaces", 0) or 32)
    subsystem.serial = params.get("serial_number", subsystem.serial)
    subsystem.allow_any_host = params.get("allow_any_host", False)
    tgt.subsystems[nqn] = subsystem
    try:
        _fill(target, tgt, subsystem, params)
    except errors.CallError:
        target.nvmf.remove_subsystem(tgt, subsystem)
        raise errors.invalid_params() from None
    target.answer_later(request, lambda: True)
    return registry.PENDING


def _fill(target, tgt, subsystem, params):
    for host in params.get("hosts", ()):
        if not nvmf.nqn_is_valid(host):
            raise errors.invalid_params()
        subsystem.hosts[host] = {}
    for given in params.get("listen_addresses", ()):
        address = nvmf_transport.transport_id(given)
        if address["trtype"] != "TCP":
            raise errors.invalid_params()
        tgt.transports.setdefault("TCP", {})
        nvmf_transport.listen(target, tgt, subsystem, address, {})
    for namespace in params.get("namespaces", ()):
        target.nvmf.add_namespace(subsystem, namespace)
