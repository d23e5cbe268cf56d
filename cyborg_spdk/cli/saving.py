# SPDX-License-Identifier: Apache-2.0

"""Keep what a target has, after a command has looked at it or changed it.

The Cyborg agent does so after each report; here it is done for who works
without one, or whose target ends before the next report.
"""

from collections.abc import Collection
from collections.abc import Iterable
import os

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import objects
from cyborg_spdk import exceptions
from cyborg_spdk.host import process
from cyborg_spdk import loggers
from cyborg_spdk import rpc
from cyborg_spdk import tasks

LOG = loggers.get(__name__)


def save(conf: cfg.ConfigOpts, addresses: Iterable[str],
         expected: Collection[str] = ()) -> dict[str, list[objects.Object]]:
    """Keep what configured targets have, if it has changed. Blocks.

    What they lack is made, as far as their options allow it.

    Only of targets on this host whose option save_config is set, and only
    if this user may write the state directory; else nothing is done and
    nothing said. A failure is told, and is none of the command.

    :param conf: the configuration.
    :param addresses: RPC addresses; one that no configured target has is
        passed over.
    :param expected: names of what was changed; see
        :func:`cyborg_spdk.desired.keep.look`.
    :returns: the objects that are missing, by the target's name.
    """
    if not _may_write(conf.spdk.state_path):
        LOG.debug('%s may not be written: configurations are not saved',
                  conf.spdk.state_path)
        return {}
    try:
        targets = _targets(conf, addresses)
    except exceptions.InvalidValue as exc:
        # Of a target that the command has had nothing to do with.
        LOG.debug('configurations are not saved: %s', exc)
        return {}
    names = [f'save {target.name}' for target in targets]
    for name, target in zip(names, targets, strict=True):
        tasks.run(name, _save, conf, target, expected)
    return {target.name: missing for target, missing in zip(
        targets, tasks.wait(*names), strict=True)}


def _may_write(directory: str) -> bool:
    """Whether this user may make files there, or make the directory."""
    if not os.path.lexists(directory):
        directory = os.path.dirname(directory)
    return os.access(directory, os.W_OK | os.X_OK, effective_ids=True)


def _targets(conf: cfg.ConfigOpts,
             addresses: Iterable[str]) -> list[spdk_conf.Target]:
    """One target for each process whose configuration is to be kept."""
    wanted = {rpc.parse_address(address) for address in addresses}
    found: dict[rpc.Address, spdk_conf.Target] = {}
    for target in spdk_conf.targets(conf):
        address = rpc.parse_address(target.rpc_address)
        if address in wanted and target.save_config \
                and process.socket_path(target):
            found.setdefault(address, target)
    return list(found.values())


def _save(conf: cfg.ConfigOpts, target: spdk_conf.Target,
          expected: Collection[str]) -> list[objects.Object]:
    # Only who has something to save waits for its import.
    from cyborg_spdk.desired import keep
    try:
        client = rpc.connect(target.rpc_address,
                             timeout=conf.spdk.connect_timeout)
        return keep.look(conf, target, client, expected=expected,
                         timeout=conf.spdk.rpc_timeout).missing
    except exceptions.SpdkError as exc:
        LOG.warning('%s: its configuration was not saved: %s; if it ends now '
                    'it comes back with what was saved before', target.name,
                    exc)
        return []
