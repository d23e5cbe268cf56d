# SPDX-License-Identifier: Apache-2.0

"""Bdevs are made while connections are cut and the target is killed.

A relay cuts each connection after a random number of bytes. A call that
returned was executed once; one that failed otherwise than with
``OutcomeUnknown`` or ``RpcTimeout`` was not executed at all; and none was
executed twice, which the target would tell by "File exists".
"""

import contextlib
import os
import random
import socket

from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from spdk_simulator import fixture
from tests.functional.fixtures import relay

# Most calls that are on their way at once.
_AT_ONCE = 30
_ROUND = 200
_KILLS = 20
# Bytes to the target and from it after which a connection is cut, in the
# mean. A new one begins with what it learns of the target.
_ASKED = 4000
_LEARNT = 30000
_TOLD = 4000


class Cutter(relay.Relay):
    """A relay whose connections end after a random number of bytes.

    :param path: the target's socket.
    :param chance: a ``random.Random``.
    :ivar path: the relay's socket.
    :ivar cuts: how many connections were cut.
    """

    def __init__(self, path, chance):
        super().__init__(path)
        self.path = path + '.cut'
        self.cuts = 0
        self._chance = chance

    def _listen(self):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        self.addCleanup(os.unlink, self.path)
        listener.listen(64)
        return listener

    def _pump(self, source, sink, hear):
        left = int(self._chance.expovariate(1 / _ASKED)
                   if hear == self._hear else self._chance.choice(
                       (0, _LEARNT, _LEARNT, _LEARNT))
                   + self._chance.expovariate(1 / _TOLD))
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data[:left])
                left -= len(data)
                if left < 0:
                    self.cuts += 1
                    break
        self._shut(source)
        self._shut(sink)


def _names(target):
    client = rpc.connect(target.socket)
    return {bdev['name'] for bdev in client.call('bdev_get_bdevs')}


def _clear(target):
    client = rpc.connect(target.socket)
    client.call_many([rpc.Request('bdev_null_delete', {'name': name})
                      for name in _names(target)], raise_errors=True)


def _restart(target):
    target.process.kill()
    target.process.wait()
    target.start()


def _round(target, client, names, killed, chance):
    """Make bdevs; what became of each: a result or an exception.

    :param killed: the target is killed before the bdev of this place, or
        None.
    """
    waiting, found = {}, {}
    for place, name in enumerate(names):
        if place == killed:
            _restart(target)
        try:
            waiting[name] = client.submit(
                'bdev_null_create', name=name, num_blocks=8, block_size=512,
                _timeout=60)
        except exceptions.SpdkError as exc:
            found[name] = exc
        if len(waiting) > chance.randrange(_AT_ONCE):
            found.update(_ended(waiting))
            waiting.clear()
    return {**found, **_ended(waiting)}


def _ended(waiting):
    return {name: one.exception(120) or one.result()
            for name, one in waiting.items()}


def run(amount, seed):
    """Make bdevs.

    :param amount: how many.
    :param seed: of the places where connections are cut.
    :returns: counts: ``made``, ``cuts``, ``kills``, ``unknown``,
        ``contradictions`` and ``executed twice``.
    """
    chance = random.Random(seed)
    figures = dict.fromkeys(('made', 'cuts', 'kills', 'unknown',
                             'contradictions', 'executed twice'), 0)
    kill_each = max(1, amount // _ROUND // _KILLS)
    with fixture.SimulatedTarget('nvmf_tgt', poll_ms=1) as target, \
            Cutter(target.socket, chance) as cutter:
        client = rpc.connect(cutter.path)
        for number in range(0, amount, _ROUND):
            names = [f'n{number + one}' for one in range(
                min(_ROUND, amount - number))]
            killed = None
            if number // _ROUND % kill_each == kill_each - 1:
                killed = chance.randrange(len(names))
                figures['kills'] += 1
            _count(figures, _round(
                target, client, names, killed, chance), _names(target),
                killed is not None)
            _clear(target)
        client.close()
        rpc.disconnect(target.socket)
        figures['cuts'] = cutter.cuts
    return figures


def _count(figures, outcomes, there, killed):
    for name, outcome in outcomes.items():
        if isinstance(outcome, exceptions.AlreadyExists):
            figures['executed twice'] += 1
        elif isinstance(outcome, (exceptions.OutcomeUnknown,
                                  exceptions.RpcTimeout)):
            figures['unknown'] += 1
        elif isinstance(outcome, Exception):
            figures['contradictions'] += name in there
        else:
            figures['made'] += 1
            # What was made before a kill is gone with the target.
            figures['contradictions'] += name not in there and not killed
