# SPDX-License-Identifier: Apache-2.0

"""Check-or-start of a driver's targets, in the background."""

import itertools

from cyborg_spdk import exceptions
from cyborg_spdk.host.target import lifecycle
from cyborg_spdk import tasks

# Several drivers, and several of one kind, may live in one process.
_COUNT = itertools.count(1)


class Starter:
    """Keeps track of the starts of one driver's targets.

    :param conf: the ``oslo_config.cfg.ConfigOpts``.
    """

    def __init__(self, conf):
        self._conf = conf
        self._number = next(_COUNT)
        self._running = {}

    def start(self, target):
        """Begin to check a target and start it if it does not run.

        :param target: :class:`~cyborg_spdk.conf.Target`.
        :returns: bool: whether it is being checked now; False if the
            configuration forbids a start.
        """
        if not target.start:
            return False
        if target.name not in self._running:
            name = f'start {target.name} {self._number}'
            tasks.run(name, lifecycle.ensure, self._conf, target)
            self._running[target.name] = name
        return True

    def wait(self, target, timeout):
        """Wait for the check of a target, if there is one.

        :param timeout: seconds.
        :raises StartError: if it takes longer; it goes on.
        :raises SpdkError: whatever the check found.
        """
        name = self._running.get(target.name)
        if name is None:
            return
        try:
            tasks.wait(name, timeout=max(0, timeout))
        except exceptions.TaskError as exc:
            if exc.__cause__ is None:
                raise exceptions.StartError(
                    target.name, 'it is still being started; a later report '
                                 'will have it') from None
            del self._running[target.name]
            raise exc.__cause__ from None
        del self._running[target.name]
