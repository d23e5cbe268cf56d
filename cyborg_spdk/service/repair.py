# SPDX-License-Identifier: Apache-2.0

"""The duty ``repair``: what a target has lost is made again in seconds."""

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import keep
from cyborg_spdk.desired import objects as desired_objects
from cyborg_spdk import exceptions
from cyborg_spdk.host import process
from cyborg_spdk import rpc
from cyborg_spdk.service import duty as duties


class Repair(duties.Duty):
    """Look at one target; keep what it has and make what it lacks.

    :param conf: the configuration.
    :param target: :class:`~cyborg_spdk.conf.Target` on a UNIX socket of this
        host.
    """

    interval = 5.0

    def __init__(self, conf: cfg.ConfigOpts,
                 target: spdk_conf.Target) -> None:
        self.name = f'{duties.REPAIR} {target.name}'
        self._conf = conf
        self._target = target
        self._client: rpc.Client | None = None

    def run(self) -> duties.Outcome:
        """Look once; a target that does not run is no business of this.

        :raises SpdkError: if the target cannot be read.
        """
        if process.find(self._target) is None:
            return duties.Outcome(facts={'missing': None})
        if self._client is None:
            self._client = rpc.connect(
                self._target.rpc_address, shared=False,
                timeout=self._conf.spdk.connect_timeout)
        try:
            result = keep.look(self._conf, self._target, self._client)
        except (exceptions.ConnectError, exceptions.ConnectionLost,
                exceptions.NotReady) as exc:
            # It is ending or starting; who supervises it tells that.
            self.close()
            return duties.Outcome(facts={'not_readable': str(exc)})
        return duties.Outcome(
            tuple(_told(self._target, one) for one in result.missing),
            {'missing': [one.key for one in result.missing],
             'made': result.made})

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _told(target: spdk_conf.Target, one: desired_objects.Object) -> str:
    why = f': {one.why}' if one.why else ''
    return (f'{target.name}: {one.key} is missing{why}; it is made when its '
            f'cause is gone. To do without it: cyborg-spdk target forget '
            f'{target.name} {one.key}')
