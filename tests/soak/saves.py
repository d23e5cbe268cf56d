# SPDX-License-Identifier: Apache-2.0

"""Processes that are killed while they save what is to be kept."""

import os
import random
import signal
import tempfile
import threading

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import objects
from cyborg_spdk.desired import store
from cyborg_spdk import exceptions
from cyborg_spdk.units.wipe import marks

# Longest time until the kill, in seconds.
_SOON = 0.02
_OBJECTS = 50
_HANDLE = '{"nqn":"nqn.2016-06.io.spdk:cnode1","nsid":"1"}'


def _conf(directory):
    conf = cfg.ConfigOpts()
    conf([])
    spdk_conf.register(conf)
    for name in ('run_path', 'state_path'):
        conf.set_override(name, os.path.join(directory, name), group='spdk')
    conf.set_override('vhost_targets', [], group='spdk')
    conf.set_override('iscsi_targets', [], group='spdk')
    return conf


def _state(path, number):
    """A desired state with secrets in each object."""
    state = store.State(path=path, exists=True)
    for one in range(_OBJECTS):
        key = f'crypto_key:{one}'
        state.objects[key] = objects.Object(
            key=key, method='accel_crypto_key_create', level=1, params={
                'name': f'{one}', 'cipher': 'AES_XTS',
                'key': f'{number:032x}', 'key2': f'{number + 1:032x}'})
    return state


def _save(conf, target, number):
    with store.locked(conf, target, 'saving'):
        store.save(_state(store.path(conf, target), number))
    marks.directory(conf)
    marks.save(conf, marks.Mark(target.name, _HANDLE, consumer=str(number)))


def _save_for_ever(conf, target):
    number = 0
    while True:
        number += 1
        _save(conf, target, number)


def _kill_in(seconds, function, *args):
    """Have a process do something, and kill it soon after."""
    pid = os.fork()
    if pid == 0:
        try:
            function(*args)
        finally:
            os._exit(1)
    threading.Event().wait(seconds)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _damaged(conf, target):
    """Whether what is kept is not one of the states that were saved."""
    try:
        state = store.load(conf, target)
    except exceptions.SpdkError:
        return True
    secrets = [one.params.get(name, '') for one in state.objects.values()
               for name in ('key', 'key2')]
    return len(state.objects) != _OBJECTS or \
        any(len(secret) != 32 for secret in secrets) or \
        len(marks.load_all(conf)) != 1


def _left(directory):
    """How many temporary files there are."""
    return sum(name.endswith('.tmp') for _where, _directories, names
               in os.walk(directory) for name in names)


def run(amount, seed):
    """Kill a process that saves, and read what it saved.

    :param amount: how many kills.
    :param seed: of their times.
    :returns: counts: ``kills``, ``damaged`` and ``left over``: temporary
        files that are there after a save that was not killed.
    """
    chance = random.Random(seed)
    figures = {'kills': 0, 'damaged': 0, 'left over': 0}
    with tempfile.TemporaryDirectory() as directory:
        conf = _conf(directory)
        target = spdk_conf.targets(conf)[0]
        _save(conf, target, 0)
        for number in range(amount):
            _kill_in(chance.random() * _SOON, _save_for_ever, conf, target)
            figures['kills'] += 1
            figures['damaged'] += _damaged(conf, target)
            if number % 10 == 9:
                _save(conf, target, number)
                figures['left over'] += _left(directory)
    return figures
