# SPDX-License-Identifier: Apache-2.0

"""When is a target ready? When it has answered, and is initialised.

A successful connect says nothing: SPDK listens before it initialises, and
serves nobody until then. If the initialisation fails, the connection is
reset.
"""

from collections.abc import Callable
import time

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk import rpc

#: ``ended(seconds)`` waits that long for the end of a process, and tells
#: whether it has come.
Ended = Callable[[float], bool]

# Seconds between two looks at a target that does not listen yet.
_INTERVAL = 0.01

# Seconds to wait for one reply before the process is looked at again.
_SLICE = 1.0


def wait(target: spdk_conf.Target, deadline: float, ended: Ended) -> bool:
    """Wait until a target answers and its framework is initialised.

    :param target: a :class:`cyborg_spdk.conf.Target`.
    :param deadline: point of ``time.monotonic()`` at which to give up.
    :param ended: ``ended(seconds)`` waits that long for the end of the
        process and tells (bool) whether it has come.
    :returns: True; False if the process has ended.
    :raises RpcTimeout: at the deadline.
    """
    methods = ['spdk_get_version']
    if '--wait-for-rpc' not in target.extra_args:
        # With it, the operator initialises the framework, not we.
        methods.append('framework_wait_init')
    return _wait(target, deadline, ended, methods)


def answers(target: spdk_conf.Target, deadline: float, ended: Ended) -> bool:
    """Wait until a target answers, initialised or not.

    Parameters, result and exceptions are those of :func:`wait`.
    """
    return _wait(target, deadline, ended, ['spdk_get_version'])


def _wait(target: spdk_conf.Target, deadline: float, ended: Ended,
          methods: list[str]) -> bool:
    began = time.monotonic()
    while methods:
        left = deadline - time.monotonic()
        if left <= 0:
            raise exceptions.RpcTimeout(
                target.rpc_address, methods[0], time.monotonic() - began)
        try:
            client = rpc.connect(target.rpc_address,
                                 timeout=min(_SLICE, left))
            client.call(methods[0], _timeout=min(_SLICE, left))
        except exceptions.MethodNotFound:
            # A release that has no such method is initialised before it
            # answers anything.
            methods.pop(0)
        except (exceptions.ConnectError, exceptions.ConnectionLost,
                exceptions.RpcTimeout):
            if ended(_INTERVAL):
                return False
        else:
            methods.pop(0)
    return True
