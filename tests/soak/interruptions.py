# SPDX-License-Identifier: Apache-2.0

"""Calls that a signal interrupts, while others disconnect and fork."""

import contextlib
import os
import random
import signal
import tempfile
import threading

from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from tests.functional.fixtures import puppet

# Longest time until a signal comes, in seconds.
_SOON = 0.003
_CALLS_OF_A_CHILD = 3


class _Interrupt(Exception):
    """The signal came."""


def _interrupt(_number, _frame):
    raise _Interrupt


def _call(client, token):
    """What became of a call: a key of the figures."""
    try:
        found = client.call('bdev_get_bdevs', name=token, _timeout=60)
    except _Interrupt:
        return 'interrupted'
    except exceptions.RpcTimeout:
        return 'hung'
    except exceptions.SpdkError:
        return 'failed'
    except Exception:
        return 'untyped'
    return 'answered' if found == [token] else 'crossed'


def _fork(client, number):
    """Whether a child can make calls of its own: a key of the figures."""
    pid = os.fork()
    if pid == 0:
        code = 1
        with contextlib.suppress(BaseException):
            code = any(_call(client, f'child {number} {one}') != 'answered'
                       for one in range(_CALLS_OF_A_CHILD))
        os._exit(code)
    _pid, status = os.waitpid(pid, 0)
    return 'answered' if status == 0 else 'children that failed'


def run(amount, seed):
    """Make calls.

    :param amount: how many.
    :param seed: of the times of the signals.
    :returns: counts: ``answered``, ``interrupted``, ``failed``, ``hung``,
        ``crossed``, ``untyped`` and ``children that failed``.
    """
    chance = random.Random(seed)
    figures = dict.fromkeys(
        ('answered', 'interrupted', 'failed', 'hung', 'crossed', 'untyped',
         'children that failed'), 0)
    with tempfile.TemporaryDirectory() as directory:
        target = puppet.Puppet(os.path.join(directory, 'sock'), 'nvmf')
        target.extra['bdev_get_bdevs'] = \
            lambda params: [(params or {}).get('name')]
        target.start()
        client = rpc.connect(target.path)
        ended = threading.Event()
        other = threading.Thread(target=_disconnect, args=(
            target.path, random.Random(seed), ended))
        other.start()
        before = signal.signal(signal.SIGALRM, _interrupt)
        try:
            for number in range(amount):
                if number % 200 == 199:
                    figures[_fork(client, number)] += 1
                figures[_interrupted(client, chance, number)] += 1
        finally:
            signal.signal(signal.SIGALRM, before)
            ended.set()
            other.join()
            rpc.disconnect(target.path)
            target.stop()
    return figures


def _interrupted(client, chance, number):
    try:
        signal.setitimer(signal.ITIMER_REAL, chance.random() * _SOON + 1e-5)
        try:
            return _call(client, f'call {number}')
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except _Interrupt:
        return 'interrupted'


def _disconnect(path, chance, ended):
    while not ended.wait(chance.random() * 0.05):
        rpc.disconnect(path)
