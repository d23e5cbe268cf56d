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

"""The command line of SPDK programs (``spdk_app_parse_args``)."""

import getopt
import os

from cyborg_spdk.simulator import release as releases
from cyborg_spdk.simulator import vhost

# Options of lib/event/app.c: (short, long, takes a value, help).
_OPTIONS = (
    ("c", "config", True, "JSON config file"),
    ("", "json", True, "JSON config file"),
    ("", "json-ignore-init-errors", False,
     "don't exit on invalid config entry"),
    ("d", "limit-coredump", False, "do not set max coredump size"),
    ("e", "tpoint-group", True, "trace groups to enable"),
    ("g", "single-file-segments", False, "one hugetlbfs file"),
    ("h", "help", False, "show this usage"),
    ("i", "shm-id", True, "shared memory ID"),
    ("m", "cpumask", True, "core mask (like 0xF) or core list of [0-4]"),
    ("", "lcores", True, "lcore to CPU mapping list"),
    ("n", "mem-channels", True, "number of memory channels"),
    ("p", "main-core", True, "main (primary) core for DPDK"),
    ("r", "rpc-socket", True, "RPC listen address"),
    ("s", "mem-size", True, "memory size in MB for DPDK"),
    ("u", "no-pci", False, "disable PCI access"),
    ("v", "version", False, "print SPDK version"),
    ("A", "pci-allowed", True, "pci addr to allow"),
    ("B", "pci-blocked", True, "pci addr to block"),
    ("W", "pci-whitelist", True, "pci addr to allow"),
    ("L", "logflag", True, "enable log flag"),
    ("R", "huge-unlink", False, "unlink huge files after init"),
    ("", "huge-dir", True, "use a specific hugetlbfs mount"),
    ("", "iova-mode", True, "set IOVA mode"),
    ("", "base-virtaddr", True, "the base virtual address"),
    ("", "env-context", True, "opaque context for use of the env"),
    ("", "no-huge", False, "run without using hugepages"),
    ("", "max-delay", True, "maximum reactor delay (in microseconds)"),
    ("", "rpcs-allowed", True, "comma-separated list of permitted RPCs"),
    ("", "wait-for-rpc", False, "wait for RPCs to initialize subsystems"),
    ("", "silence-noticelog", False, "disable notice level logging"),
    ("", "disable-cpumask-locks", False, "disable CPU core lock files"),
    ("", "interrupt-mode", False, "set app to interrupt mode"),
    ("", "no-rpc-server", False, "skip RPC server initialization"),
    ("", "num-trace-entries", True, "number of trace entries"),
    ("", "msg-mempool-size", True, "global message memory pool size"),
    ("", "vfio-vf-token", True, "VF token shared between processes"),
    ("", "enforce-numa", False, "enforce NUMA allocations"),
    ("", "rpc-socket-mode", True, "mode of the RPC socket"),
    ("", "logfile", True, "file to log to"),
)
# Options of app/vhost.
_VHOST = (("S", "", True, "directory of the vhost sockets"),
          ("f", "", True, "save pid to file"))
# Options of the simulator; no SPDK program has them.
_OWN = (
    ("", "spdk-version", True, "release to play (simulator)"),
    ("", "fault", True, "fault to inject (simulator)"),
    ("", "poll-ms", True, "milliseconds between two polls (simulator)"),
    ("", "hugepages", True, "honour or ignore huge pages (simulator)"),
)
DEFAULT_SOCKET = "/var/tmp/spdk.sock"  # noqa: S108


class Exit(Exception):
    """The program ends.

    :ivar code: its exit status.
    """

    def __init__(self, code):
        super().__init__(code)
        self.code = code


class Options:
    """What the command line says."""

    def __init__(self):
        self.config = None
        self.ignore_errors = False
        self.cpumask = "0x1"
        self.cores = [0]
        self.rpc_socket = DEFAULT_SOCKET
        self.rpc_server = True
        self.mem_size = None
        self.no_huge = False
        self.huge_dir = None
        self.iova_mode = None
        self.wait_for_rpc = False
        self.rpcs_allowed = None
        self.silent = False
        self.cpu_locks = True
        self.interrupt_mode = False
        self.vhost_dir = ""
        self.pid_file = None
        environ = os.environ.get
        self.spdk_version = environ("CYBORG_SPDK_SIM_VERSION",
                                    releases.DEFAULT)
        self.faults = [item for item in environ(
            "CYBORG_SPDK_SIM_FAULT", "").split(";") if item]
        self.poll_ms = environ("CYBORG_SPDK_SIM_POLL_MS", "4")
        self.hugepages = environ("CYBORG_SPDK_SIM_HUGEPAGES", "ignore")


def _table(app):
    return _OPTIONS + (_VHOST if app in ("vhost", "spdk_tgt") else ()) + _OWN


def usage(app):
    """The usage text."""
    lines = [f"{app} [options]", "", "options:"]
    for short, long, value, text in _table(app):
        names = [f"-{short}"] if short else []
        if long:
            names.append(f"--{long}")
        head = ", ".join(names) + (" <value>" if value else "")
        lines.append(f" {head:<36}{text}")
    return "\n".join(lines)


def _complain(app, exc, log):
    """Say what getopt_long() says."""
    option = exc.opt
    dashed = f"--{option}" if len(option) > 1 else option
    if "not recognized" in exc.msg and len(option) > 1:
        log.raw(f"{app}: unrecognized option '{dashed}'")
    elif "not recognized" in exc.msg:
        log.raw(f"{app}: invalid option -- '{dashed}'")
    elif "requires argument" in exc.msg and len(option) > 1:
        log.raw(f"{app}: option '{dashed}' requires an argument")
    elif "requires argument" in exc.msg:
        log.raw(f"{app}: option requires an argument -- '{dashed}'")
    elif "must not have" in exc.msg:
        log.raw(f"{app}: option '{dashed}' doesn't allow an argument")
    else:
        log.raw(f"{app}: option '{dashed}' is ambiguous")


def parse(app, argv, log):
    """Read the command line.

    :param app: the program's name.
    :param argv: its arguments.
    :param log: a :class:`.log.Log`.
    :returns: :class:`Options`.
    :raises Exit: after ``--help``, ``--version`` or a complaint.
    """
    table = _table(app)
    short = "".join(item[0] + (":" if item[2] else "")
                    for item in table if item[0])
    long = [item[1] + ("=" if item[2] else "") for item in table if item[1]]
    try:
        found, _ = getopt.gnu_getopt(argv, short, long)
    except getopt.GetoptError as exc:
        _complain(app, exc, log)
        print(usage(app))
        raise Exit(2) from None
    options = Options()
    for name, value in found:
        _take(app, options, name, value, log)
    for name, _ in found:
        if name in ("-v", "--version"):
            release = _release(options, log)
            print(release.version)
            raise Exit(0)
    options.release = _release(options, log)
    _own(options, log)
    return options


def _take(app, options, name, value, log):
    simple = {"-c": "config", "--config": "config", "--json": "config",
              "-m": "cpumask", "--cpumask": "cpumask",
              "-r": "rpc_socket", "--rpc-socket": "rpc_socket",
              "--huge-dir": "huge_dir", "--iova-mode": "iova_mode",
              "-S": "vhost_dir", "-f": "pid_file",
              "--spdk-version": "spdk_version", "--poll-ms": "poll_ms",
              "--hugepages": "hugepages"}
    flags = {"--json-ignore-init-errors": "ignore_errors",
             "--no-huge": "no_huge", "--wait-for-rpc": "wait_for_rpc",
             "--silence-noticelog": "silent",
             "--interrupt-mode": "interrupt_mode"}
    if name in simple:
        setattr(options, simple[name], value)
    elif name in flags:
        setattr(options, flags[name], True)
    elif name in ("-h", "--help"):
        print(usage(app))
        raise Exit(0)
    elif name in ("-s", "--mem-size"):
        options.mem_size = _megabytes(app, value, log)
    elif name == "--rpcs-allowed":
        options.rpcs_allowed = value.split(",")
    elif name == "--fault":
        options.faults.append(value)
    elif name == "--disable-cpumask-locks":
        options.cpu_locks = False
    elif name == "--no-rpc-server":
        options.rpc_server = False


def _megabytes(app, value, log):
    """Read ``-s``: megabytes, or with a K, M or G."""
    factor = {"K": 1 / 1024, "M": 1, "G": 1024}.get(value[-1:].upper())
    digits = value[:-1] if factor else value
    if not digits.isdigit() or int(digits) == 0:
        log.errlog("app.c", 1386, "spdk_app_parse_args",
                  f"invalid memory pool size `-s {value}`")
        print(usage(app))
        raise Exit(2)
    return int(int(digits) * (factor or 1))


def _release(options, log):
    try:
        return releases.Release(options.spdk_version)
    except ValueError as exc:
        log.raw(f"simulator: --spdk-version: {exc}")
        raise Exit(2) from None


def _own(options, log):
    """Check the simulator's own options."""
    try:
        options.interval = float(options.poll_ms) / 1000
        if not 0 <= options.interval <= 60:
            raise ValueError
    except ValueError:
        log.raw(f"simulator: --poll-ms: {options.poll_ms!r} is no number "
                "of milliseconds")
        raise Exit(2) from None
    if options.hugepages not in ("honour", "ignore"):
        log.raw(f"simulator: --hugepages: {options.hugepages!r}: say "
                "honour or ignore")
        raise Exit(2)


def cores(text):
    """Turn a core mask into a list of cores.

    :raises ValueError: it is none.
    """
    mask = vhost.parse_mask(text)
    return [core for core in range(mask.bit_length()) if mask >> core & 1]
