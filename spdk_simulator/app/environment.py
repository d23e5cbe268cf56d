# SPDX-License-Identifier: Apache-2.0

"""What SPDK's environment (DPDK) checks before anything else runs.

As ``spdk_env_init()`` in ``lib/env_dpdk/init.c``. Huge pages are honoured
only if told so (``--hugepages honour`` or
``CYBORG_SPDK_SIM_HUGEPAGES=honour``): a simulated target needs none.
"""

import glob
import os
import re

from spdk_simulator.app import cmdline
from spdk_simulator.app import eal


def start(process):
    """Check the cores and the memory; write what SPDK and EAL write.

    :param process: a :class:`.process.Process`.
    :raises cmdline.Exit: with the status of a real target.
    """
    options, log = process.options, process.log
    cores = None
    if options.cpumask is None and options.lcores is None:
        options.cpumask = "0x1"
    if options.lcores is None and options.cpumask[:1] not in ("[", "-") \
            and options.release >= 2605:
        cores = _mask(options, log)
    if options.no_huge:
        _no_huge(options, log)
    log.printed(f"Starting {options.release.version} initialization...")
    try:
        options.cores = _present(cores, options, log) if cores \
            else _cores(options, log)
        eal.check(options)
    except eal.Refused as exc:
        for text in exc.args * 2:
            # DPDK reads its options twice.
            log.raw(f"{process.target.trace_name}: {text}")
        _fail(options, log)
    if options.main_core > 0:
        options.cores.remove(options.main_core)
        options.cores.insert(0, options.main_core)
    if options.hugepages == "honour" and not options.no_huge:
        _hugepages(options, log)


def _fail(options, log):
    log.errlog("init.c", 863, "spdk_env_init", "Failed to initialize DPDK")
    _unable(options, log)


def _invalid(options, log, text):
    log.raw(text)
    log.errlog("init.c", 818, "spdk_env_init",
               "Invalid arguments to initialize DPDK")
    _unable(options, log)


def _unable(options, log):
    log.errlog("app.c", 562, "app_setup_env",
               "Unable to initialize SPDK env")
    if options.release >= 2505 and os.getuid():
        log.errlog("app.c", 565, "app_setup_env",
                   "You may need to run as root")
    raise cmdline.Exit(1)


def _mask(options, log):
    """Read the core mask as SPDK does itself from v26.05 on."""
    text = options.cpumask.strip(" \t")
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    bad = re.findall(r"[^0-9a-fA-F,]", digits)
    if bad:
        log.errlog("cpuset.c", 286, "parse_mask", "Invalid character in "
                   f"core mask '{digits}' ({bad[-1]})")
    cores = [] if bad else eal.bits(
        int(digits.replace(",", "") or "0", 16) % 2 ** 1024)
    if not cores:
        _invalid(options, log, f"Invalid core mask '{options.cpumask}'")
    return cores


def _cores(options, log):
    text = options.lcores
    if text is not None:
        found = eal.lcores(text)
        _present([cpu for cpus in found.values() for cpu in cpus],
                 options, log)
        return list(found)
    text = options.cpumask
    for start_, read in (("[", eal.core_list), ("-l", eal.core_list),
                         ("-c", eal.mask)):
        if text.startswith(start_):
            text = text[len(start_):]
            if start_ == "[" and text.endswith("]"):
                text = text[:-1]
            return _present(read(text), options, log)
    if text.startswith("-"):
        raise eal.Refused
    return _present(eal.mask(text), options, log)


def _present(cores, options, log):
    """See that the machine has the cores."""
    known = os.cpu_count() or 1
    missing = [core for core in cores if core >= known]
    for core in missing:
        log.raw(f"EAL: lcore {core} unavailable")
    if missing:
        log.raw("EAL: invalid core list, please check specified cores are "
                f"part of 0-{known - 1}")
        _fail(options, log)
    return cores


def _no_huge(options, log):
    if options.single_file or options.huge_unlink or options.huge_dir:
        _invalid(options, log,
                 "--no-huge invalid with other hugepage options")
    if options.mem_size is None:
        _invalid(options, log, "Disabling hugepages requires specifying how "
                 "much memory will be allocated using -s parameter")
    if options.iova_mode == "pa":
        _invalid(options, log, "iova-mode=pa is incompatible with specified "
                 "no-huge parameter")


def _hugepages(options, log):
    pools = []
    for path in glob.glob("/sys/kernel/mm/hugepages/hugepages-*kB"):
        size = int(re.search(r"(\d+)kB$", path).group(1))
        counts = {}
        for name in ("nr_hugepages", "free_hugepages"):
            with open(os.path.join(path, name), encoding="ascii") as file:
                counts[name] = int(file.read())
        pools.append((size, counts["nr_hugepages"],
                      counts["free_hugepages"]))
    free = sum(size * pages for size, _, pages in pools) // 1024
    if not any(pages for _, _, pages in pools):
        for size, _, _ in sorted(pools):
            log.raw(f"EAL: No free {size} kB hugepages reported on node 0")
        log.raw("EAL: FATAL: Cannot get hugepage information.")
        log.raw("EAL: Cannot get hugepage information.")
        _fail(options, log)
    mounts = _mounts()
    if options.huge_dir is not None:
        mounts = [mount for mount in mounts if mount == options.huge_dir]
    if not mounts:
        for size, total, _ in pools:
            if total:
                log.raw(f"EAL: {total} hugepages of size {size * 1024} "
                        "reserved, but no mounted hugetlbfs found for that "
                        "size")
        log.raw("EAL: FATAL: Cannot get hugepage information.")
        _fail(options, log)
    if not any(os.access(mount, os.W_OK) for mount in mounts):
        log.raw("EAL: get_seg_fd(): open "
                f"'{mounts[0]}/spdk_pid{os.getpid()}map_0' failed: "
                "Permission denied")
        log.raw("EAL: FATAL: Cannot init memory")
        _fail(options, log)
    if options.mem_size is not None and options.mem_size > free:
        log.raw("EAL: Not enough memory available! Requested: "
                f"{options.mem_size}MB, available: {free}MB")
        log.raw("EAL: FATAL: Cannot init memory")
        _fail(options, log)


def _mounts():
    with open("/proc/self/mounts", encoding="utf-8") as file:
        lines = [line.split() for line in file]
    return [line[1] for line in lines if line[2] == "hugetlbfs"]
