# SPDX-License-Identifier: Apache-2.0

"""The NVMe-oF target: transports, subsystems, namespaces (``lib/nvmf``)."""

import re
import socket
import uuid as _uuid

from spdk_simulator import errors

DISCOVERY = "nqn.2014-08.org.nvmexpress.discovery"
_UUID_PREFIX = "nqn.2014-08.org.nvmexpress:uuid:"
_LABEL = r"[A-Za-z](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?"
# The last label may be missing, and it may be one longer than the others.
_NQN = re.compile(
    rf"nqn\.[0-9]{{4}}-[0-9]{{2}}\.(?:{_LABEL}\.)*"
    rf"(?:{_LABEL})?:.+", re.S)
_MODULE = "NVMe-oF Target"
_MOST_NSID = 2 ** 32 - 2

ADRFAM = {"ipv4": "IPv4", "ipv6": "IPv6", "ib": "IB", "fc": "FC"}


def trtype_is_known(release, trtype):
    """Tell whether a release can read the name of a transport.

    See ``spdk_nvme_transport_id_parse_trtype()``; since v20.01 any name of
    up to 32 characters is one.
    """
    if release >= 2001:
        return len(trtype) <= 32
    known = ("PCIE", "RDMA", "FC", "TCP")
    return trtype.upper() in known[
        :2 if release < 1807 else 3 if release < 1901 else 4]


def nqn_is_valid(nqn):
    """Tell whether SPDK takes a text as an NQN."""
    size = len(nqn.encode())
    if not 11 <= size <= 223:
        return False
    if nqn == DISCOVERY:
        return True
    if nqn.startswith(_UUID_PREFIX):
        tail = nqn[len(_UUID_PREFIX):]
        return re.fullmatch(
            r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
            tail) is not None
    return _NQN.fullmatch(nqn) is not None


def printable(text, size):
    """Tell whether a serial or model number is of printable ASCII."""
    return len(text) <= size and all(" " <= char <= "~" for char in text)


class Namespace:
    """A bdev as a namespace of a subsystem."""

    def __init__(self, nsid, bdev, params):
        self.nsid = nsid
        self.bdev = bdev
        self.uuid = params.get("uuid") or bdev.uuid
        self.eui64 = params.get("eui64", "")
        self.nguid = params.get("nguid", "")
        if not self.nguid.strip("0"):
            self.nguid = _uuid.UUID(bdev.uuid).hex.upper()
        self.anagrpid = params.get("anagrpid") or nsid
        self.ptpl_file = params.get("ptpl_file")
        self.no_auto_visible = params.get("no_auto_visible", False)
        self.hosts = []
        self.opener = None


class Subsystem:
    """An NVM or discovery subsystem.

    :ivar active: whether it was started; what fails half made is not.
    :ivar changing: whether a change of it is not yet answered.
    """

    def __init__(self, nqn, discovery=False, max_namespaces=32):
        self.nqn = nqn
        self.number = 0
        self.active = True
        self.changing = False
        self.discovery = discovery
        self.max_namespaces = max_namespaces
        self.serial = "00000000000000000000"
        self.model = "SPDK bdev Controller"
        self.admin_label = ""
        self.allow_any_host = discovery
        self.last_cntlid = 0
        self.min_cntlid = 1
        self.max_cntlid = 65519
        self.ana_reporting = False
        self.passthrough = False
        self.enable_nssr = False
        self.dmrsl = 2097152
        self.wzsl = 12
        self.extra = {}
        self.hosts = {}
        self.psks = {}
        # With those that were given twice (v18.01).
        self.given_hosts = None
        self.listeners = []
        self.namespaces = {}
        self.controllers = {}

    def most_nsid(self, release):
        """The highest NSID; up to v20.10, 0 as limit is none."""
        if release < 2101 and not self.max_namespaces:
            return _MOST_NSID
        return self.max_namespaces

    def free_nsid(self):
        """The first NSID that is free, beyond the limit if all are used."""
        nsid = 1
        while nsid in self.namespaces:
            nsid += 1
        return nsid

    def connect(self, controller):
        """Give a controller that connects the next identifier that is
        free (nvmf_subsystem_gen_cntlid()).
        """
        number = max(self.last_cntlid, self.min_cntlid - 1)
        while True:
            number = number + 1 if number < self.max_cntlid \
                else self.min_cntlid
            if number not in self.controllers:
                break
        self.last_cntlid = controller.cntlid = number
        self.controllers[number] = controller

    def ana_state(self, address, nsid):
        """The ANA state of a namespace behind an address."""
        for listener in self.listeners:
            if nsid in self.namespaces and all(
                    listener.address.get(key) == address.get(key)
                    for key in ("trtype", "traddr", "trsvcid")):
                return listener.ana_states.get(
                    self.namespaces[nsid].anagrpid, "optimized")
        return "optimized"

    def find_listener(self, address):
        """The listener of an address, or None."""
        for listener in self.listeners:
            if listener.address == address:
                return listener
        return None


class Listener:
    """An address that a subsystem listens on."""

    def __init__(self, address, secure_channel=False, params=None):
        self.address = address
        self.secure_channel = secure_channel
        self.params = params or {}
        self.ana_states = {}


class Tgt:
    """One NVMe-oF target within the program."""

    def __init__(self, name, max_subsystems=1024):
        self.name = name
        self.max_subsystems = max_subsystems
        self.subsystems = {}
        self.transports = {}
        self.pools = set()
        self.referrals = []
        self.discovery_filter = "match_any"
        self.polled = False

    def add(self, subsystem):
        """Make a subsystem known, in the first place that is free."""
        used = {other.number for other in self.subsystems.values()}
        subsystem.number = min(set(range(len(used) + 1)) - used)
        self.subsystems[subsystem.nqn] = subsystem


class Layer:
    """All NVMe-oF targets; the first one is the default."""

    def __init__(self, target):
        self.target = target
        self.tgts = {}
        self.max_subsystems = 0
        self.config = {}
        self.crdt = [0, 0, 0]
        self.admin_qpairs = 0
        self.io_qpairs = 0
        self.completed = 0

    def start(self):
        """Make the default target with its discovery subsystem."""
        if not self.tgts:
            self.add_tgt("nvmf_tgt", self.max_subsystems or 1024, True)

    def add_tgt(self, name, max_subsystems, discovery=False):
        """Make a target."""
        tgt = self.tgts[name] = Tgt(name, max_subsystems)
        tgt.discovery_filter = self.config.get("discovery_filter",
                                               "match_any")
        if discovery:
            tgt.polled = True
            tgt.add(Subsystem(DISCOVERY, True, 0))
        return tgt

    def tgt(self, name=None):
        """Find a target; without a name there must be only one.

        :returns: the target, or None.
        """
        if name is not None:
            return self.tgts.get(name)
        if len(self.tgts) == 1:
            return next(iter(self.tgts.values()))
        return None

    def subsystems(self, tgt):
        """The subsystems in the order in which the release lists them."""
        if self.target.release >= 2305:
            return sorted(tgt.subsystems.values(), key=lambda s: s.nqn)
        return sorted(tgt.subsystems.values(), key=lambda s: s.number)

    def add_namespace(self, subsystem, params):
        """Add a namespace.

        :returns: its NSID.
        :raises errors.CallError: for whatever reason -32602.
        """
        nsid = params.get("nsid", 0) or subsystem.free_nsid()
        if not 0 < nsid <= subsystem.most_nsid(self.target.release) \
                or nsid in subsystem.namespaces \
                or params.get("anagrpid", 0) > subsystem.max_namespaces:
            raise errors.invalid_params()
        bdevs = self.target.bdevs
        bdev = bdevs.find(params["bdev_name"])
        if bdev is None or bdev.removing or bdev.claim is not None:
            raise errors.invalid_params()
        if bdev.md_size and not bdev.md_interleave:
            raise errors.invalid_params()
        if subsystem.passthrough and bdev.module != "nvme":
            raise errors.invalid_params()
        if self.target.release >= 1810:
            bdevs.claim(bdev, _MODULE)
        namespace = Namespace(nsid, bdev, params)
        if self.target.release < 2107:
            namespace.nguid = params.get("nguid", "")

        def removed(_bdev):
            self.remove_namespace(subsystem, nsid)

        namespace.opener = removed
        bdev.openers.append(removed)
        subsystem.namespaces[nsid] = namespace
        return nsid

    def remove_namespace(self, subsystem, nsid):
        """Remove a namespace.

        :returns: whether it was there.
        """
        namespace = subsystem.namespaces.pop(nsid, None)
        if namespace is None:
            return False
        namespace.bdev.openers.remove(namespace.opener)
        if self.target.release >= 1810:
            self.target.bdevs.release(namespace.bdev)
        return True

    def remove_subsystem(self, tgt, subsystem):
        """Remove a subsystem with all that it has."""
        for nsid in list(subsystem.namespaces):
            self.remove_namespace(subsystem, nsid)
        tgt.subsystems.pop(subsystem.nqn, None)

    def shut_down(self):
        """Nothing of it is outside of the process."""


def is_address(text):
    """Tell whether a text is an IPv4 or IPv6 address in figures."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text.strip("[]"))
        except (OSError, ValueError):
            continue
        return True
    return False


def can_listen(address):
    """Tell whether a TCP address could be listened on.

    The address is tried and given up again: nobody could talk NVMe to the
    simulator, and it takes no port away from others.
    """
    family = socket.AF_INET6 if address["adrfam"] == "IPv6" \
        else socket.AF_INET
    service = address.get("trsvcid", "")
    try:
        socket.inet_pton(family, address["traddr"])
    except OSError:
        return False
    if not service.isascii() or not service.isdigit() \
            or int(service) > 65535:
        return False
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address["traddr"], int(service)))
            sock.listen(1)
        except OSError:
            return False
    return True
