# SPDX-License-Identifier: Apache-2.0


"""``framework_set_scheduler`` and the like (``lib/event/app_rpc.c``)."""

import errno

from spdk_simulator import errors
from spdk_simulator.jsonrpc import decode
from spdk_simulator.jsonrpc import registry
from spdk_simulator.vhost import state as vhost_state

_LIMITS = [(name, decode.DECODERS["uint8"], True)
           for name in ("load_limit", "core_limit", "core_busy")]
_MAPPINGS = [("mappings", decode.string, True)]


@registry.method("framework_get_scheduler")
def get_scheduler(target, params, request):
    """Tell the scheduler."""
    return target.scheduler.facts()


@registry.method("framework_get_governor")
def get_governor(target, params, request):
    """There is none: nothing changes the frequency of a core."""
    return {}


def _failed(release, number):
    """The text of a negative error number that is not negated."""
    if release < 2305:
        return errors.internal()
    return errors.internal(f"Unknown error {number}")


@registry.method("framework_set_scheduler")
def set_scheduler(target, params, request):
    """Choose the scheduler."""
    name, release = params["name"], target.release
    scheduler = target.scheduler
    before = scheduler.name
    if 2301 <= release < 2501 and name == "static" \
            and before not in (None, "static"):
        raise errors.invalid_params(
            "Static scheduler cannot be re-enabled after a different "
            "scheduler was selected")
    scheduler.set_period(params.get("period", 0))
    if name == "gscheduler":
        # It needs a governor; without it the one before begins anew.
        if before == "static" and release >= 2501:
            scheduler.balance()
        raise _failed(release, -1)
    if name not in ("static", "dynamic"):
        raise _failed(release, -errno.EINVAL)
    scheduler.choose(name)
    _set_options(target, name if release >= 2409 else before,
                 request.params)
    return True


def _set_options(target, name, given):
    """Hand a scheduler the parameters that are its own.

    :param name: of the scheduler; None hands them to nobody.
    :param given: the parameters as they came.
    :raises errors.CallError: it does not take them.
    """
    scheduler, release = target.scheduler, target.release
    if name == "dynamic" and release >= 2205:
        try:
            scheduler.limits.update(decode.obj(given, _LIMITS, True))
        except decode.Refused:
            raise _failed(release, -1) from None
    if name == "static" and release >= 2501:
        try:
            mappings = decode.obj(given, _MAPPINGS, True).get("mappings")
        except decode.Refused:
            raise _failed(release, -errno.EINVAL) from None
        if mappings is not None:
            _map(target, mappings)
            scheduler.balance()


def _map(target, mappings):
    """Check ``thread:core,thread:core...`` (set_opts_static()).

    :raises errors.CallError: of a thread or a core that is not there.
    """
    threads = {str(thread[0]) for thread in target.threads()}
    for item in mappings.split(","):
        thread, _, core = item.partition(":")
        if item and (thread not in threads or not core.isdigit()
                     or int(core) not in target.cores()):
            raise _failed(target.release, -errno.EINVAL)


@registry.method("scheduler_set_options")
def scheduler_set_options(target, params, request):
    """Set which core schedules and which are left alone."""
    scheduler = target.scheduler
    core = params.get("scheduling_core", scheduler.core)
    if params.get("isolated_core_mask") is not None:
        if not params["isolated_core_mask"].strip(" \t"):
            # It is looked at though nothing was read.
            raise errors.invalid_params("Invalid isolated core mask\n")
        try:
            mask = vhost_state.parse_mask(params["isolated_core_mask"])
        except ValueError:
            # What could not be read isolates nobody.
            mask = 0
        if mask >> core & 1:
            raise errors.invalid_params(
                "Scheduling core cannot be included in isolated core "
                "mask.\n")
        if any(mask >> number & 1 and number not in target.cores()
               for number in range(mask.bit_length())):
            raise errors.invalid_params("Invalid isolated core mask\n")
        scheduler.isolated = f"{mask:x}"
    if core not in target.cores():
        raise errors.invalid_params("Invalid scheduling core.\n")
    scheduler.core = core
    return True
