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

"""What SPDK's environment (DPDK) checks before anything else runs.

Huge pages are honoured only if told so (``--hugepages honour`` or
``CYBORG_SPDK_SIM_HUGEPAGES=honour``): a simulated target needs none.
"""

import glob
import os
import re

from cyborg_spdk.simulator import cmdline


def start(process):
    """Check the core mask and the memory; write what EAL writes.

    :param process: a :class:`.process.Process`.
    :raises cmdline.Exit: with the status of a real target.
    """
    options, log = process.options, process.log
    log.noticelog("init.c", 900, "spdk_env_init",
               f"Starting {options.release.version} initialization...")
    _cores(options, log)
    if options.no_huge:
        _no_huge(options, log)
    elif options.hugepages == "honour":
        _hugepages(options, log)
    log.noticelog("app.c", 1022, "spdk_app_start",
               f"Total cores available: {len(options.cores)}")
    for core in options.cores:
        log.noticelog("reactor.c", 1008, "reactor_run",
                   f"Reactor started on core {core}")
    try:
        with open("/proc/self/comm", "w", encoding="ascii") as file:
            file.write(f"reactor_{options.cores[0]}")
    except OSError:
        return


def _fail(log):
    log.errlog("init.c", 863, "spdk_env_init", "Failed to initialize DPDK")
    log.errlog("app.c", 562, "app_setup_env",
              "Unable to initialize SPDK env")
    raise cmdline.Exit(1)


def _cores(options, log):
    text = options.cpumask
    try:
        options.cores = cmdline.cores(text) if text else []
    except ValueError:
        bad = re.sub(r"^0[xX]|[0-9a-fA-F,]", "", text)[:1]
        log.errlog("cpuset.c", 286, "parse_mask",
                  f"Invalid character in core mask '{text}' ({bad})")
        options.cores = []
    if not options.cores:
        log.raw(f"Invalid core mask '{text}'")
        log.errlog("init.c", 818, "spdk_env_init",
                  "Invalid arguments to initialize DPDK")
        log.errlog("app.c", 562, "app_setup_env",
                  "Unable to initialize SPDK env")
        raise cmdline.Exit(1)
    known = os.cpu_count() or 1
    missing = [core for core in options.cores if core >= known]
    if missing:
        for core in missing:
            log.raw(f"EAL: lcore {core} unavailable")
        log.raw("EAL: invalid core list, please check specified cores are "
                f"part of 0-{known - 1}")
        _fail(log)


def _no_huge(options, log):
    if options.mem_size is None:
        log.raw("Disabling hugepages requires specifying how much memory "
                "will be allocated using -s parameter")
        raise cmdline.Exit(1)
    if options.iova_mode == "pa":
        log.raw("--no-huge is incompatible with --iova-mode=pa")
        raise cmdline.Exit(1)


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
        _fail(log)
    mounts = _mounts()
    if not mounts:
        for size, total, _ in pools:
            if total:
                log.raw(f"EAL: {total} hugepages of size {size * 1024} "
                        "reserved, but no mounted hugetlbfs found for that "
                        "size")
        log.raw("EAL: FATAL: Cannot get hugepage information.")
        _fail(log)
    if not any(os.access(mount, os.W_OK) for mount in mounts):
        log.raw("EAL: get_seg_fd(): open "
                f"'{mounts[0]}/spdk_pid{os.getpid()}map_0' failed: "
                "Permission denied")
        log.raw("EAL: FATAL: Cannot init memory")
        _fail(log)
    if options.mem_size is not None and options.mem_size > free:
        log.raw("EAL: Not enough memory available! Requested: "
                f"{options.mem_size}MB, available: {free}MB")
        log.raw("EAL: FATAL: Cannot init memory")
        _fail(log)


def _mounts():
    with open("/proc/self/mounts", encoding="utf-8") as file:
        lines = [line.split() for line in file]
    return [line[1] for line in lines if line[2] == "hugetlbfs"]
