# SPDX-License-Identifier: Apache-2.0

"""Give a saved configuration to a target that runs, call by call."""

import dataclasses

from cyborg_spdk import exceptions
from cyborg_spdk.host.saved import store as saved_store


@dataclasses.dataclass
class Applied:
    """What became of the calls of a configuration.

    :ivar made: how many were made.
    :ivar left_out: methods that only a target takes that is not yet
        initialised.
    :ivar failed: list of (call, error).
    """

    made: int = 0
    left_out: list = dataclasses.field(default_factory=list)
    failed: list = dataclasses.field(default_factory=list)


def apply(call, config, *, keep_going=False):
    """Make the calls of a configuration, each after the one before.

    :param call: ``call(method, **params)`` calls the target.
    :param config: as :func:`cyborg_spdk.host.saved.store.parse` returns it.
    :param keep_going: go on after a call that has failed.
    :returns: :class:`Applied`.
    :raises SpdkError: if the connection fails; what was made stays made.
    """
    done = Applied()
    for _, entry in saved_store.calls(config):
        try:
            call(entry['method'], **(entry.get('params') or {}))
            done.made += 1
        except exceptions.NotReady:
            done.left_out.append(entry['method'])
        except exceptions.RpcError as exc:
            done.failed.append((entry, exc))
            if not keep_going:
                break
    return done
