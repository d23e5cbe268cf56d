# SPDX-License-Identifier: Apache-2.0

"""What targets have is kept, and what they lack made, after a report."""

import itertools

from oslo_config import cfg

from cyborg_spdk import conditions
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import keep
from cyborg_spdk import exceptions
from cyborg_spdk.host import process
from cyborg_spdk import rpc
from cyborg_spdk import tasks

_COUNT = itertools.count(1)


class Saver:
    """Keeps what one driver's targets are to have.

    :param conf: the ``oslo_config.cfg.ConfigOpts``.
    :param told: what is told of whom.
    """

    def __init__(self, conf: cfg.ConfigOpts,
                 told: conditions.Conditions) -> None:
        self._conf = conf
        self._conditions = told
        self._number = next(_COUNT)

    def save(self, target: spdk_conf.Target) -> None:
        """Begin to keep what a target has, and to make what it lacks.

        Nothing is begun while the last one runs; what became of that is
        told now.

        :param target: :class:`~cyborg_spdk.conf.Target` that was read just
            now.
        """
        if not (target.save_config and process.socket_path(target)):
            return
        name = f'save {target.name} {self._number}'
        if tasks.pending(name):
            try:
                tasks.wait(name, timeout=0)
            except exceptions.TaskError as exc:
                if exc.__cause__ is None:
                    return
                self._tell(target, exc.__cause__)
            else:
                self._tell(target, None)
        tasks.run(name, self._save, target)

    def _save(self, target: spdk_conf.Target) -> object:
        client = rpc.connect(target.rpc_address,
                             timeout=self._conf.spdk.connect_timeout)
        return keep.look(self._conf, target, client)

    def _tell(self, target: spdk_conf.Target,
              error: BaseException | None) -> None:
        self._conditions.tell(
            target.name, 'saved configuration',
            error and f'{error}; what was saved before is kept')
