# SPDX-License-Identifier: Apache-2.0

"""Methods of ``lib/rpc`` and of the application (``lib/event``)."""

import os
import signal

from spdk_simulator.app import cmdline
from spdk_simulator import errors
from spdk_simulator.jsonrpc import decode
from spdk_simulator.jsonrpc import registry

_SIGNALS = {"SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM,
            "SIGQUIT": signal.SIGQUIT, "SIGHUP": signal.SIGHUP,
            "SIGKILL": signal.SIGKILL, "SIGUSR1": signal.SIGUSR1}


@registry.method("rpc_get_methods")
def get_methods(target, params, request):
    """List the methods."""
    methods = target.methods
    names = list(methods.names)
    if params.get("include_aliases"):
        names = methods.aliases + names
    if params.get("current"):
        names = [name for name in names if _callable(target, name)]
    return names


def _callable(target, name):
    method = target.methods.table[name]
    return method.runtime if target.initialized else method.startup


@registry.method("spdk_get_version")
def get_version(target, params, request):
    """Tell the release."""
    release = target.release
    fields = {"major": release.major, "minor": release.minor,
              "patch": release.patch, "suffix": release.suffix}
    if release.commit:
        fields["commit"] = release.commit
    return {"version": release.version, "fields": fields}


@registry.method("spdk_kill_instance")
def kill_instance(target, params, request):
    """Send the target a signal."""
    name = params["sig_name"]
    number = _SIGNALS.get(name)
    if number is None and target.release < 2605 and name.isdigit():
        known = {int(value): value for value in _SIGNALS.values()}
        number = known.get(int(name))
    if number is None:
        raise errors.invalid_params()
    if number in (signal.SIGINT, signal.SIGTERM):
        target.process.kill_by_rpc(number, request)
        return registry.PENDING
    os.kill(os.getpid(), number)
    return True


@registry.method("framework_start_init")
def start_init(target, params, request):
    """Leave the startup state."""
    def finish():
        try:
            target.process.initialize()
        except cmdline.Exit as exc:
            if target.initialized or target.release >= 2509:
                target.process.end(exc.code)
            if not target.initialized:
                raise errors.internal(
                    "framework_initialization failed") from None
        return True

    target.answer_later(request, finish)
    return registry.PENDING


@registry.method("framework_wait_init")
def wait_init(target, params, request):
    """Answer when the startup state is left."""
    if target.initialized:
        return True
    target.init_waiters.append(request)
    return registry.PENDING


@registry.method("framework_get_reactors")
def get_reactors(target, params, request):
    """Describe the reactors and their threads."""
    release = target.release
    uptime = target.uptime_ticks()
    threads = target.threads()
    reactors = []
    for core in target.cores():
        reactor = {"lcore": core}
        if release >= 2605:
            reactor["numa_id"] = 0
        if release >= 2409:
            reactor["tid"] = target.pid
        busy = uptime // 5
        reactor["busy"] = busy
        reactor["idle"] = uptime - busy
        if release >= 2110:
            reactor["in_interrupt"] = target.config.interrupt_mode
        if release >= 2405:
            reactor["irq"] = 0
            reactor["sys"] = int(os.times().system * 100)
            reactor["usr"] = int(os.times().user * 100)
        reactor["lw_threads"] = [
            {"name": name, "id": number, "cpumask": f"{1 << core:x}",
             "elapsed": uptime}
            for number, name, where in threads
            if where == core]
        reactors.append(reactor)
    reply = {"tick_rate": target.tick_rate}
    if release >= 2409:
        reply["pid"] = target.pid
    reply["reactors"] = reactors
    target.answer_later(request, lambda: reply)
    return registry.PENDING


def _thread(number, name):
    return {"name": name, "id": number}


@registry.method("thread_get_stats")
def thread_get_stats(target, params, request):
    """Tell the counters of the threads."""
    uptime = target.uptime_ticks()
    reply = []
    for number, name, core in target.threads():
        info = _thread(number, name)
        info["cpumask"] = f"{1 << core:x}"
        info["busy"] = uptime // 5 if number == 1 else uptime // 1000
        info["idle"] = uptime - info["busy"]
        group = name.startswith("nvmf_tgt_poll_group")
        active = group and (target.release < 2501 or bool(
            any(tgt.transports for tgt in target.nvmf.tgts.values())))
        timed = int(number == 1)
        if target.iscsi and timed:
            # An acceptor for each portal.
            timed += sum(len(group.portals) for group in
                         target.iscsi.portal_groups.values()
                         if group.opened)
        elif target.iscsi:
            active = timed = 1
        info["active_pollers_count"] = int(active)
        info["timed_pollers_count"] = timed
        info["paused_pollers_count"] = 0
        reply.append(info)
    answer = {"tick_rate": target.tick_rate, "threads": reply}
    target.answer_later(request, lambda: answer)
    return registry.PENDING


@registry.method("thread_get_pollers")
def thread_get_pollers(target, params, request):
    """List the pollers of the threads."""
    runs = int(target.uptime_ticks() // (target.tick_rate // 250))
    name_ = "rpc_subsystem_poll_servers" if target.release >= 2405 \
        else "rpc_subsystem_poll"
    reply = []
    for number, name, _ in target.threads():
        info = _thread(number, name)
        info["active_pollers"] = []
        info["timed_pollers"] = []
        if name.startswith("nvmf_tgt_poll_group") and target.release < 2501:
            info["active_pollers"].append(
                {"name": "nvmf_poll_group_poll", "id": 1,
                 "state": "waiting", "run_count": runs * 4000,
                 "busy_count": 0})
        if number == 1:
            info["timed_pollers"].append(
                {"name": name_, "id": 1, "state": "waiting",
                 "run_count": runs, "busy_count": runs,
                 "period_ticks": target.tick_rate // 250})
        info["paused_pollers"] = []
        reply.append(info)
    answer = {"tick_rate": target.tick_rate, "threads": reply}
    target.answer_later(request, lambda: answer)
    return registry.PENDING


@registry.method("thread_get_io_channels")
def thread_get_io_channels(target, params, request):
    """List the I/O channels of the threads."""
    reply = []
    for _, name, _ in target.threads():
        channels = []
        if name.startswith("nvmf_tgt_poll_group"):
            channels.append({"name": "nvmf_tgt", "ref": 1})
        if name.startswith("iscsi_poll_group"):
            channels.append({"name": "iscsi_tgt", "ref": 1})
        reply.append({"name": name, "io_channels": channels})
    answer = {"tick_rate": target.tick_rate, "threads": reply}
    target.answer_later(request, lambda: answer)
    return registry.PENDING


@registry.method("thread_set_cpumask")
def thread_set_cpumask(target, params, request):
    """Move a thread."""
    from spdk_simulator.vhost import state as vhost_state
    if params["id"] not in [number for number, _, _ in target.threads()]:
        raise errors.invalid_params(
            f"Thread {params['id']} does not exist")
    try:
        mask = vhost_state.parse_mask(params["cpumask"])
    except ValueError:
        raise errors.internal(
            f"Invalid cpumask {params['cpumask']}") from None
    if not mask & sum(1 << core for core in target.cores()):
        end = "\n" if target.release < 2409 else ""
        raise errors.internal("No CPU is selected from reactor mask "
                              f"{target.cpumask()}{end}")
    return True


@registry.method("framework_monitor_context_switch")
def monitor_context_switch(target, params, request):
    """Switch the monitoring of context switches."""
    if "enabled" in params:
        target.options.monitor = params["enabled"]
    return {"enabled": target.options.monitor}


@registry.method("framework_enable_cpumask_locks",
                 "framework_disable_cpumask_locks")
def cpumask_locks(target, params, request):
    """Claim or give up the locks on the cores."""
    if request.method.startswith("framework_disable"):
        target.process.cores.release()
        return True
    core = target.process.cores.claim()
    if core is not None:
        raise errors.internal(f"Failed to claim CPU core: {core}")
    return True


@registry.method("env_dpdk_get_mem_stats")
def get_mem_stats(target, params, request):
    """Name the file that a real target would write."""
    return {"filename": "/tmp/spdk_mem_dump.txt"}  # noqa: S108


@registry.method("framework_get_pci_devices")
def get_pci_devices(target, params, request):
    """There are none."""
    return []


@decode.decoder("rpc_decode_kill_signal")
def _kill_signal(value):
    return decode.choice(*_SIGNALS)(value)
