# SPDX-License-Identifier: Apache-2.0

"""Check-or-start of targets, in the background.

All state is that of :mod:`cyborg_spdk.tasks`, which is of this process: the
Cyborg agent makes its drivers in one process and forks the one that reports.
There, a target that was being checked before is checked anew.
"""

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import starting
from cyborg_spdk import exceptions
from cyborg_spdk import tasks


def _name(target: spdk_conf.Target) -> str:
    # By its address, too: a name may be another target's in another
    # configuration of the same process.
    return f'start {target.name} at {target.rpc_address}'


def start(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> bool:
    """Begin to check a target and start it if it does not run.

    :param conf: the ``oslo_config.cfg.ConfigOpts``.
    :param target: :class:`~cyborg_spdk.conf.Target`.
    :returns: bool: whether it is being checked now; False if the
        configuration forbids a start.
    """
    if not target.start:
        return False
    if not tasks.pending(_name(target)):
        tasks.run(_name(target), starting.ensure, conf, target)
    return True


def start_first(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> None:
    """Begin to check a target, unless that was done in this process."""
    if not tasks.known(_name(target)):
        start(conf, target)


def wait(target: spdk_conf.Target, timeout: float) -> None:
    """Wait for the check of a target, if there is one.

    :param target: :class:`~cyborg_spdk.conf.Target`.
    :param timeout: seconds.
    :raises StartError: if it takes longer; it goes on.
    :raises SpdkError: whatever the check found.
    """
    if not tasks.pending(_name(target)):
        return
    try:
        tasks.wait(_name(target), timeout=max(0, timeout))
    except exceptions.TaskError as exc:
        if exc.__cause__ is None:
            raise exceptions.StartError(
                target.name, 'it is still being started; a later report '
                             'will have it') from None
        raise exc.__cause__ from None
