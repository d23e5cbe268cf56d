# SPDX-License-Identifier: Apache-2.0

"""Controllers that are attached over a simulated fabric.

A controller is attached to a subsystem of this same target: nobody speaks
NVMe here, the two ends just know each other.
"""

import errno
import itertools
import uuid

from spdk_simulator.bdev import common
from spdk_simulator.bdev import iostat
from spdk_simulator.bdev import layer as bdev_layer
from spdk_simulator import errors

_IO = ("read", "write", "unmap", "write_zeroes", "flush", "reset",
       "compare", "compare_and_write", "abort", "nvme_admin", "nvme_io",
       "copy")
# What the attach call keeps for framework_get_config, with its defaults.
_KEPT = (("prchk_reftag", False, 1904), ("prchk_guard", False, 1904),
         ("ctrlr_loss_timeout_sec", 0, 2201),
         ("reconnect_delay_sec", 0, 2201),
         ("fast_io_fail_timeout_sec", 0, 2201))
_KEYS = (("psk", 2309), ("dhchap_key", 2409), ("dhchap_ctrlr_key", 2409))
_MULTIPATH = {"policy": "active_passive", "selector": "round_robin",
              "min_io": 1}
# I/O queues that a controller has at most: what its transport gives.
_QUEUES = 127
# What a queue of a fabric has at least.
_REQUESTS = 512


class Controller:
    """A controller that is attached; also what the subsystem knows of it.

    :ivar address: the path as shown in ``trid``.
    :ivar more: further paths, which carry nothing.
    """

    def __init__(self, name, address, subsystem, hostnqn, hostid, port,
                 params):
        self.name = name
        self.address = address
        self.subsystem = subsystem
        self.hostnqn = hostnqn
        self.hostid = hostid
        self.cntlid = 0
        self.disabled = False
        self.port = port
        self.params = params
        self.bdevs = []
        self.more = []
        self.detaching = False

    @property
    def trid(self):
        """The transport id."""
        return self.trids[0]

    @property
    def trids(self):
        """The transport ids of all paths."""
        return [{**address, "subnqn": self.subsystem.nqn}
                for address in (self.address, *self.more)]

    def leave(self, trid):
        """Give up one path of several."""
        at = self.trids.index(trid)
        if at == 0:
            self.address = self.more.pop(0)
        else:
            del self.more[at - 1]


class Module:
    """The module's state."""

    def __init__(self, target):
        self.target = target
        self.controllers = {}
        self.hostid = str(uuid.uuid4())
        self.ports = itertools.count(33816)
        self.leaving = set()
        self.multipath_options = dict(_MULTIPATH)

    @property
    def hostnqn(self):
        """The NQN that this program has as a host."""
        return f"nqn.2014-08.org.nvmexpress:uuid:{self.hostid}"

    def connect(self, address, subnqn, hostnqn, discover=False):
        """Find the subsystem behind an address.

        :param discover: whether a discovery controller was asked for.
        :raises errors.CallError: as the release reports that nobody is
            there, or lets nobody in.
        """
        release = self.target.release
        layer = self.target.nvmf
        tgts = layer.tgts.values() if layer else ()
        listening = [
            (tgt, subsystem) for tgt in tgts
            for subsystem in tgt.subsystems.values()
            if any(self._same(listener.address, address)
                   for listener in subsystem.listeners)]
        if release < 2110:
            # Connecting, it does not get to answer itself.
            raise errors.no_device()
        if not listening:
            # A discovery controller is looked for, another is connected.
            raise errors.system(
                errno.EIO if release >= 2601 and not discover
                else errno.ENODEV)
        for _, subsystem in listening:
            if subsystem.nqn == subnqn and (
                    subsystem.allow_any_host or hostnqn in subsystem.hosts):
                return subsystem
        if release >= 2405:
            raise errors.system(errno.EIO)
        raise errors.invalid_params()

    @staticmethod
    def _same(listening, wanted):
        keys = ("trtype", "adrfam", "traddr", "trsvcid")
        return all(listening.get(key) == wanted.get(key) for key in keys)

    def attach(self, name, address, subsystem, params):
        """Attach a controller and make a bdev of each namespace.

        :returns: the controller.
        """
        hostnqn = params.get("hostnqn") or self.hostnqn
        controller = Controller(
            name, address, subsystem, hostnqn, self.hostid,
            next(self.ports), params)
        subsystem.connect(controller)
        self.controllers[name] = controller
        layer = self.target.nvmf
        layer.admin_qpairs += 1
        layer.io_qpairs += 1
        layer.completed += 7
        for nsid, namespace in sorted(subsystem.namespaces.items()):
            try:
                controller.bdevs.append(
                    self._make(controller, nsid, namespace))
            except errors.CallError:
                # As in SPDK: the attach succeeds with a shorter list.
                continue
        return controller

    def _make(self, controller, nsid, namespace):
        release = self.target.release
        base = namespace.bdev
        bdev = bdev_layer.Bdev("nvme", f"{controller.name}n{nsid}",
                               base.block_size, base.num_blocks, _IO)
        bdev.product = "NVMe disk"
        bdev.uuid = str(uuid.UUID(namespace.nguid)) \
            if namespace.nguid.strip("0") else namespace.uuid
        bdev.numa_id = -1
        if release >= 2509:
            bdev.preferred = (1, 1, 256, 1, 1)
        if release >= 2405:
            bdev.domains = (common.SYSTEM,)
        if release >= 2605:
            bdev.domains = ({"dma_device_type": "DMA"},)
        bdev.specific = lambda: self._facts(controller, nsid)
        bdev.controller = controller
        bdev.multipath = {}
        self.target.bdevs.register(bdev)
        # Whoever has a look at it connects a queue of as many requests.
        options = self.target.options.calls["bdev_nvme_set_options"]
        if "io_queue_requests" in options:
            options["io_queue_requests"] = max(
                options["io_queue_requests"], _REQUESTS)
        return bdev

    def _facts(self, controller, nsid):
        release = self.target.release
        subsystem = controller.subsystem
        data = {}
        if release >= 2205:
            data["cntlid"] = controller.cntlid
        data.update({
            "vendor_id": "0x8086", "model_number": subsystem.model,
            "serial_number": subsystem.serial,
            "firmware_revision": release.tag[1:6],
            "subnqn": subsystem.nqn,
            "oacs": {"security": 0, "format": 0, "firmware": 0,
                     "ns_manage": 0}})
        if release >= 2205:
            data["multi_ctrlr"] = True
            data["ana_reporting"] = subsystem.ana_reporting
        ns_data = {"id": nsid}
        if subsystem.ana_reporting and release >= 2201:
            ns_data["ana_state"] = subsystem.ana_state(
                controller.address, nsid)
        if release >= 2205:
            ns_data["can_share"] = True
        path = {"trid": controller.trid, "ctrlr_data": data,
                "vs": {"nvme_version": "2.0" if release >= 2601
                       else "1.3"}, "ns_data": ns_data}
        facts = {"nvme": [path]}
        if release >= 2205:
            facts["mp_policy"] = "active_passive"
        return facts

    def threads(self, controller):
        """The names of the threads that have an I/O queue of a
        controller: those that hold a channel of one of its bdevs.
        """
        groups = [name for _, name, _ in self.target.threads()]
        names = []
        if iostat.used_here(self.target).intersection(controller.bdevs):
            names.append(groups[0])
        if iostat.exported(self.target).intersection(controller.bdevs):
            names += [name for name in groups if "nvmf" in name]
        return names

    def disconnect(self, controller):
        """Have the subsystem forget a controller."""
        controller.subsystem.controllers.pop(controller.cntlid, None)

    def reconnect(self, controller):
        """Connect a controller anew; it gets another identifier.

        :raises errors.CallError: nobody is there any more.
        """
        self.connect(controller.address, controller.subsystem.nqn,
                     controller.hostnqn)
        self.disconnect(controller)
        controller.subsystem.connect(controller)

    def detach(self, controller, done):
        """Detach a controller; its bdevs go."""
        controller.detaching = True
        left = [bdev for bdev in controller.bdevs if not bdev.removing]

        def gone():
            self.controllers.pop(controller.name, None)
            self.disconnect(controller)
            done()

        def one(bdev):
            left.remove(bdev)
            if not left:
                gone()

        for bdev in list(left):
            self.target.bdevs.unregister(
                bdev, lambda bdev=bdev: one(bdev))
        if not left:
            self.target.post(gone)

    def config(self):
        """The calls that attach the controllers again."""
        name = common.name(self.target.release,
                           "bdev_nvme_attach_controller")
        return [{"method": name, "params": self._attached(controller, trid)}
                for controller in self.controllers.values()
                for trid in controller.trids]

    def _attached(self, controller, trid):
        """What one path was attached with (nvme_ctrlr_config_json())."""
        release, given = self.target.release, controller.params
        params = {"name": controller.name, **trid}
        for key, default, since in _KEPT:
            if release >= since:
                params[key] = given.get(key, default)
        for key, since in _KEYS:
            if release >= since and given.get(key):
                params[key] = given[key]
        if release >= 2309:
            params["hostnqn"] = controller.hostnqn
        for key in ("hdgst", "ddgst"):
            if release >= 2305:
                params[key] = given.get(key, False)
        for key in ("hostaddr", "hostsvcid"):
            if release >= 2405 and given.get(key):
                params[key] = given[key]
        default = "multipath" if release >= 2501 else "failover"
        if release >= 2409 \
                and given.get("multipath", default) == "multipath":
            params["multipath"] = "multipath"
        if release >= 2601:
            params["fabrics_connect_timeout_us"] = given.get(
                "fabrics_connect_timeout_us", 500000)
            params["num_io_queues"] = min(
                given.get("num_io_queues", _QUEUES), _QUEUES)
        if release >= 2605:
            params["multipath_opts"] = self.multipath(
                given.get("multipath_opts"))
        return params

    def multipath(self, given=None):
        """How several paths are used, as it is shown (v26.05).

        :param given: what was asked for; None: as of the module's options.
        """
        options = {**self.multipath_options, **(given or {})}
        shown = {"policy": options["policy"]}
        if options["policy"] == "active_active":
            shown["selector"] = options["selector"]
            if options["selector"] == "round_robin":
                shown["min_io"] = options["min_io"]
        return shown

    def policies(self):
        """The calls that set how the paths of bdevs are used, where that
        is not as ever (bdev_nvme_multipath_config_json(), v25.05).
        """
        calls = []
        for controller in self.controllers.values():
            for bdev in controller.bdevs:
                options = {**self.multipath_options,
                           **controller.params.get("multipath_opts", {}),
                           **bdev.multipath}
                if options == _MULTIPATH or self.target.release < 2505:
                    continue
                shown = self.multipath(options)
                if "min_io" in shown:
                    shown["rr_min_io"] = shown.pop("min_io")
                calls.append({"method": "bdev_nvme_set_multipath_policy",
                              "params": {"name": bdev.name, **shown}})
        return calls
