# SPDX-License-Identifier: Apache-2.0

"""The options of SPDK programs by release, and how ``--help`` lists them.

From ``g_cmdline_options`` and ``SPDK_APP_GETOPT_STRING`` of every release
(``lib/event/app.c``, ``include/spdk/event.h``).
"""

from spdk_simulator.app import getoptlong

LAST = 9999

# (letter, name, whether it takes a value, first release of the name, last
# release, help; none: --help does not list it). Names exist from v18.10 on.
_OPTIONS = (
    ("c", "config", True, 1801, LAST, "configuration file"),
    ("d", "limit-coredump", False, 1801, LAST,
     "leave the limit of core dumps alone"),
    ("e", "tpoint-group-mask", True, 1801, 2205, "trace points to switch on"),
    ("e", "tpoint-group", True, 2209, LAST, "trace points to switch on"),
    ("g", "single-file-segments", False, 1804, LAST, "one hugetlbfs file"),
    ("h", "help", False, 1801, LAST, "show this text"),
    ("i", "shm-id", True, 1801, LAST, "number of the shared memory"),
    ("m", "cpumask", True, 1801, LAST, "core mask, or a list in brackets"),
    ("n", "mem-channels", True, 1801, LAST, "number of memory channels"),
    ("p", "main-core", True, 2101, LAST, "main core"),
    ("p", "master-core", True, 1801, 2010, "main core"),
    ("p", "master-core", True, 2101, 2401, ""),
    ("r", "rpc-socket", True, 1801, LAST, "where RPC is served"),
    ("s", "mem-size", True, 1801, LAST, "memory in MB"),
    ("u", "no-pci", False, 1804, LAST, "leave PCI devices alone"),
    ("v", "version", False, 2001, LAST, "show the version"),
    ("B", "pci-blocked", True, 2101, LAST, "PCI device to leave alone"),
    ("B", "pci-blacklist", True, 1807, 2010, "PCI device to leave alone"),
    ("B", "pci-blacklist", True, 2101, 2401, ""),
    ("L", "traceflag", True, 1807, 1810, "log flag to switch on"),
    ("L", "logflag", True, 1901, LAST, "log flag to switch on"),
    ("R", "huge-unlink", False, 1807, LAST, "unlink files of huge pages"),
    ("A", "pci-allowed", True, 2101, LAST, "PCI device to take"),
    ("W", "pci-whitelist", True, 1807, 2010, "PCI device to take"),
    ("W", "pci-whitelist", True, 2101, 2401, ""),
    ("W", "", True, 2405, LAST, ""),
    ("q", "", False, 1801, 1807, "no notices"),
    ("t", "", True, 1801, 1804, "log flag to switch on"),
    ("w", "", False, 1807, 1807, "wait for RPC"),
    ("", "interrupt-mode", False, 2401, LAST, "wait for interrupts"),
    ("", "silence-noticelog", False, 1810, LAST, "no notices"),
    ("", "wait-for-rpc", False, 1810, LAST, "wait for framework_start_init"),
    ("", "huge-dir", False, 1901, 1904, "mount point of hugetlbfs"),
    ("", "huge-dir", True, 1907, LAST, "mount point of hugetlbfs"),
    ("", "num-trace-entries", True, 1901, LAST, "entries of the trace"),
    ("", "max-delay", True, 1901, 2401, "delay of a reactor in us"),
    ("", "json", True, 1901, LAST, "configuration file"),
    ("", "json-ignore-init-errors", False, 2004, LAST,
     "go on when a call of the configuration fails"),
    ("", "iova-mode", True, 2007, LAST, "pa or va"),
    ("", "base-virtaddr", True, 2007, LAST, "where memory is mapped"),
    ("", "env-context", True, 2110, LAST, "more options for DPDK"),
    ("", "disable-cpumask-locks", False, 2301, LAST, "lock no cores"),
    ("", "rpcs-allowed", True, 2301, LAST, "methods that may be called"),
    ("", "vfio-vf-token", True, 2301, LAST, "UUID of virtual functions"),
    ("", "msg-mempool-size", True, 2301, LAST, "size of the message pool"),
    ("", "lcores", True, 2305, LAST, "which lcore runs on which CPU"),
    ("", "no-huge", False, 2401, LAST, "run without huge pages"),
    ("", "no-rpc-server", False, 2405, LAST, "serve no RPC"),
    ("", "enforce-numa", False, 2409, LAST, "memory of the node asked for"),
)
# Options that programs have of their own.
_OF_PROGRAMS = {
    "vhost": (("f", "", True, 1801, LAST, "file for the process's number"),
              ("S", "", True, 1801, LAST, "directory of the vhost sockets")),
    "iscsi_tgt": (("b", "", False, 1801, LAST, "run in the background"),),
}
_OF_PROGRAMS["spdk_tgt"] = _OF_PROGRAMS["vhost"]

#: Options of the simulator: name -> help. No SPDK program has them.
OWN = {
    "spdk-version": "release to play (simulator)",
    "fault": "fault to inject (simulator)",
    "poll-ms": "milliseconds between two polls (simulator)",
    "hugepages": "honour or ignore huge pages (simulator)",
}


def _entries(app, release):
    for entry in _OPTIONS + _OF_PROGRAMS.get(app, ()):
        letter, name, value, first, last, text = entry
        if first <= release <= last:
            if release < 1810:
                name = ""
            if letter or name:
                yield letter, name, value, text


def table(app, release):
    """The options that a program of a release understands.

    :param app: the program.
    :param release: a :class:`.release.Release`.
    :returns: list of :class:`.getoptlong.Option`.
    """
    found = []
    for letter, name, value, _ in _entries(app, release):
        key = "c" if name == "json" and release >= 2010 else None
        found.append(getoptlong.Option(letter, name, value, key))
    return found


def usage(app, release, flags, groups):
    """The text of ``--help``.

    :param app: the program, as it was called.
    :param flags: the log flags that there are.
    :param groups: the groups of trace points that there are.
    """
    lines = [f"{app} [options]", "", "options:"]
    more = {"L": "all, " + ", ".join(flags), "e": ", ".join([*groups, "all"])}
    for letter, name, value, text in _entries(app.rpartition("/")[2],
                                              release):
        if not text:
            continue
        if letter in more:
            text = f"{text} ({more[letter]})"
        lines.append(_line(letter, name, value, text))
    lines += [_line("", name, True, text) for name, text in OWN.items()]
    return "\n".join(lines)


def _line(letter, name, value, text):
    names = ", ".join(filter(None, (letter and f"-{letter}",
                                    name and f"--{name}")))
    return f" {names + (' <value>' if value else ''):<36}{text}"
