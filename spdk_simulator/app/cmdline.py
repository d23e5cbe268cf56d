# SPDX-License-Identifier: Apache-2.0

"""The command line of SPDK programs (``spdk_app_parse_args``)."""

import os
import types

from spdk_simulator.app import getoptlong
from spdk_simulator.app import usage
from spdk_simulator.jsonrpc import ctext
from spdk_simulator import release as releases
from spdk_simulator.target import options as state

DEFAULT_SOCKET = "/var/tmp/spdk.sock"  # noqa: S108
_INT_MAX = 2 ** 31 - 1


class Exit(Exception):
    """The program ends.

    :ivar code: its exit status.
    """

    def __init__(self, code):
        super().__init__(code)
        self.code = code


class Options:
    """What the command line says.

    :ivar cores: the cores of the core mask; see :mod:`.environment`.
    """

    def __init__(self):
        self.config = None
        self.old_config = None
        self.ignore_errors = False
        self.cpumask = None
        self.lcores = None
        self.main_core = 0
        self.mem_channels = 0
        self.cores = [0]
        self.rpc_socket = DEFAULT_SOCKET
        self.mem_size = None
        self.no_huge = False
        self.huge_dir = None
        self.huge_unlink = False
        self.single_file = False
        self.iova_mode = None
        self.env_context = ""
        self.vf_token = None
        self.shm_id = -1
        self.trace_entries = 32768
        self.trace_groups = None
        self.log_flags = []
        self.pci = {}
        self.wait_for_rpc = False
        self.rpcs_allowed = None
        self.silent = False
        self.cpu_locks = True
        self.interrupt_mode = False
        self.vhost_dir = ""
        self.pid_file = None
        self.background = False
        environ = os.environ.get
        self.spdk_version = environ("CYBORG_SPDK_SIM_VERSION",
                                    releases.DEFAULT)
        self.faults = [item for item in environ(
            "CYBORG_SPDK_SIM_FAULT", "").split(";") if item]
        self.poll_ms = environ("CYBORG_SPDK_SIM_POLL_MS", "4")
        self.hugepages = environ("CYBORG_SPDK_SIM_HUGEPAGES", "ignore")


def parse(app, argv, log):
    """Read the command line.

    :param app: the program's name, perhaps with its directory.
    :param argv: its arguments.
    :param log: a :class:`.log.Log`.
    :returns: :class:`Options`.
    :raises Exit: after ``--help``, ``--version`` or a complaint.
    """
    options = Options()
    rest = _own(options, argv, log)
    parser = _Parser(app, options, log)
    try:
        for option, value in getoptlong.options(
                rest, usage.table(parser.name, options.release)):
            parser.take(option, value)
    except getoptlong.Complaint as exc:
        log.raw(f"{app}: {exc}")
        parser.refuse_with_usage()
    parser.finish()
    return options


def _own(options, argv, log):
    """Take out the simulator's own options, which come first.

    :returns: the other arguments.
    """
    rest = list(argv)
    other = []
    while rest:
        text = rest.pop(0)
        if text == "--":
            other += [text, *rest]
            break
        if text[2:].partition("=")[0] not in usage.OWN or text[:2] != "--":
            other.append(text)
            continue
        value = text.partition("=")[2] if "=" in text else \
            rest.pop(0) if rest else None
        if value is None:
            log.raw(f"simulator: option '{text}' requires an argument")
            raise Exit(2)
        name = text[2:].partition("=")[0].replace("-", "_")
        if name == "fault":
            options.faults.append(value)
        else:
            setattr(options, name, value)
    _check_own(options, log)
    return other


def _check_own(options, log):
    try:
        options.release = releases.Release(options.spdk_version)
    except ValueError as exc:
        log.raw(f"simulator: --spdk-version: {exc}")
        raise Exit(2) from None
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


# Options that only keep their value, or set something to True.
_VALUES = {"c": "config", "json": "config", "S": "vhost_dir",
           "f": "pid_file", "huge-dir": "huge_dir",
           "iova-mode": "iova_mode", "env-context": "env_context",
           "vfio-vf-token": "vf_token", "e": "trace_groups",
           "r": "rpc_socket"}
_FLAGS = {"json-ignore-init-errors": "ignore_errors", "no-huge": "no_huge",
          "wait-for-rpc": "wait_for_rpc", "w": "wait_for_rpc",
          "silence-noticelog": "silent", "q": "silent",
          "interrupt-mode": "interrupt_mode", "R": "huge_unlink",
          "g": "single_file", "b": "background"}


class _Parser:
    """Takes one option after the other."""

    def __init__(self, app, options, log):
        self.app = app
        self.name = app.rpartition("/")[2]
        self.options = options
        self.release = options.release
        self.log = log

    def take(self, option, value):
        """Take one option."""
        key, options = option.key, self.options
        if key == "c" and self.release < 2010:
            # No JSON, but the format of an earlier age.
            options.old_config = value
        elif key in _VALUES:
            setattr(options, _VALUES[key], value)
        elif key in _FLAGS:
            setattr(options, _FLAGS[key], True)
        elif key == "no-rpc-server":
            options.rpc_socket = None
        elif key == "disable-cpumask-locks":
            options.cpu_locks = False
        elif key == "rpcs-allowed":
            options.rpcs_allowed = value.split(",")
        elif key in _TAKERS:
            _TAKERS[key](self, value)

    def finish(self):
        """Check what only all options together tell."""
        if self.options.config is not None and self.options.wait_for_rpc \
                and self.release < 2405:
            text = "JSON configuration file can't be used together with " \
                "--wait-for-rpc."
            if self.release >= 2010:
                self.refuse(text)
            self.log.raw(f"ERROR: {text}")
            self._end()

    def refuse(self, text):
        """End with a complaint."""
        self.log.errlog("app.c", 1386, "spdk_app_parse_args", text)
        self._end()

    def refuse_with_usage(self, text=None):
        """End with a complaint and the usage."""
        if text:
            self.log.errlog("app.c", 1386, "spdk_app_parse_args", text)
        self.usage()
        self._end()

    def _end(self):
        raise Exit(2 if self.release >= 1807 else 1)

    def _known(self):
        """Log flags and groups of trace points of the program."""
        return state.Options(types.SimpleNamespace(
            app=self.name, release=self.release))

    def usage(self):
        """Print the usage."""
        known = self._known()
        groups = known.facts["trace_get_tpoint_group_mask"]
        print(usage.usage(self.app, self.release, known.log_flags,
                          [name for name in groups
                           if name != "tpoint_group_mask"]))

    def help(self, value):
        """``-h``"""
        self.usage()
        raise Exit(0)

    def version(self, value):
        """``-v``"""
        print(self.release.version)
        raise Exit(0)

    def cpumask(self, value):
        """``-m``"""
        if self.options.lcores is not None:
            self.refuse("lcore map and core mask can't be set "
                        "simultaneously")
        self.options.cpumask = value

    def lcores(self, value):
        """``--lcores``"""
        if self.options.cpumask is not None:
            self.refuse("lcore map and core mask can't be set "
                        "simultaneously")
        self.options.lcores = value

    def shm_id(self, value):
        """``-i``"""
        negative = value.startswith("-") and self.release >= 2209
        number = ctext.to_int(ctext.strtol(value[negative:], 0))
        if number < 0:
            self.refuse(f"Invalid shared memory ID {value}")
        self.options.shm_id = -number if negative else number

    def mem_channels(self, value):
        """``-n``"""
        number = ctext.to_int(ctext.strtol(value, 0))
        if number < 0:
            self.refuse(f"Invalid memory channel {value}")
        self.options.mem_channels = number

    def main_core(self, value):
        """``-p``"""
        number = ctext.to_int(ctext.strtol(value, 0))
        if number < 0:
            self.refuse(f"Invalid main core {value}")
        self.options.main_core = number

    def mem_size(self, value):
        """``-s``: megabytes, or with a K, M or G."""
        size = ctext.capacity(value)
        if size is None or size > _INT_MAX:
            self.refuse_with_usage(f"invalid memory pool size `-s {value}`")
        self.options.mem_size = size

    def msg_mempool_size(self, value):
        """``--msg-mempool-size``"""
        if ctext.strtol(value, 10) <= 0:
            self.refuse(f"Invalid message memory pool size {value}")

    def pci(self, value, kind, other, text):
        """``-A``, ``-B``"""
        if other in self.options.pci:
            self.refuse_with_usage(text)
        if not ctext.is_pci(value):
            self.log.errlog("app.c", 520, "app_opts_add_pci_addr",
                            f"Invalid address {value}")
            self._end()
        self.options.pci[kind] = True

    def allowed(self, value):
        """``-A``"""
        self.pci(value, "A", "B", "-B and -W cannot be used at the same time")

    def blocked(self, value):
        """``-B``"""
        self.pci(value, "B", "A", "-B and -A cannot be used at the same time")

    def whitelist(self, value):
        """``-W``: in the end only its letter was left, which each program
        takes or refuses as one of its own.
        """
        if self.release < 2405:
            if self.release >= 2101:
                self.log.warnlog(
                    "app.c", 1300, "spdk_app_parse_args",
                    "-W/--pci-whitelist is deprecated.  Use "
                    "-A/--pci-allowed.")
            self.allowed(value)
        elif self.name != "nvmf_tgt":
            self.refuse("Parsing app-specific command line parameter 'W' "
                        "failed: -22")

    def max_delay(self, value):
        """``--max-delay``"""
        if self.release >= 2004:
            self.log.errlog(
                "app.c", 1310, "spdk_app_parse_args",
                "Deprecation warning: The maximum allowed latency parameter "
                "is no longer supported.")

    def log_flag(self, value):
        """``-L``"""
        found = ctext.matching(value, self._known().log_flags)
        if not found:
            self.refuse_with_usage(
                f"unknown flag: {value}" if self.release >= 2401
                else "unknown flag")
        self.options.log_flags += found

    def base_virtaddr(self, value):
        """``--base-virtaddr``"""
        if ctext.strtol(value, 0) <= 0:
            self.refuse_with_usage(f"Invalid base-virtaddr {value}")

    def trace_entries(self, value):
        """``--num-trace-entries``"""
        number = ctext.strtol(value, 0)
        if number < 0:
            self.refuse_with_usage(f"Invalid num-trace-entries {value}")
        if number & (number - 1):
            self.refuse_with_usage("num-trace-entries must be power of 2")
        self.options.trace_entries = number


_TAKERS = {
    "h": _Parser.help, "v": _Parser.version, "m": _Parser.cpumask,
    "lcores": _Parser.lcores, "i": _Parser.shm_id,
    "n": _Parser.mem_channels, "p": _Parser.main_core,
    "s": _Parser.mem_size, "msg-mempool-size": _Parser.msg_mempool_size,
    "A": _Parser.allowed, "B": _Parser.blocked, "W": _Parser.whitelist,
    "max-delay": _Parser.max_delay, "L": _Parser.log_flag,
    "t": _Parser.log_flag, "base-virtaddr": _Parser.base_virtaddr,
    "num-trace-entries": _Parser.trace_entries}
