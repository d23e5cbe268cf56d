# SPDX-License-Identifier: Apache-2.0

"""The desired state, also from what releases before it have left.

Those kept one configuration of a target, ``NAME.json``, and beside it what
was there before the target lost something (``.previous``) and what it had
refused (``.rejected-TIME``).
"""

import contextlib
import os

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import configuration
from cyborg_spdk.desired import judge
from cyborg_spdk.desired import kinds
from cyborg_spdk.desired import objects as desired_objects
from cyborg_spdk.desired import observe
from cyborg_spdk.desired import store
from cyborg_spdk import exceptions
from cyborg_spdk.host import process
from cyborg_spdk.host import trusted_files
from cyborg_spdk import loggers

LOG = loggers.get(__name__)


def former_path(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> str:
    """Path of the configuration that former releases have kept."""
    return os.path.join(conf.spdk.state_path,
                        f'{process.name(conf, target)}.json')


def load(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> store.State:
    """The desired state of a target. The lock has to be held.

    Where there is none yet, it is made of what a former release has left,
    and that is put aside; or else of ``config_file``.

    :returns: :class:`~cyborg_spdk.desired.store.State`.
    :raises StateError: if something is there that cannot be read.
    :raises ConfigurationError: if ``config_file`` cannot be used.
    """
    state = store.load(conf, target)
    if not target.save_config:
        # Declared ones count; the rest is what the file says, each time.
        state.objects = {key: one for key, one in state.objects.items()
                         if one.origin == desired_objects.DECLARED}
        return _with_first(target, state)
    if any(one.origin == desired_objects.KEPT
           for one in state.objects.values()) or state.process:
        return state
    former = _former(conf, target)
    if former is None:
        return _with_first(target, state)
    state.objects = {**former, **state.objects}
    state.process = None
    store.save(state)
    _put_aside(former_path(conf, target))
    LOG.info('%s: took its configuration over from %s', target.name,
             former_path(conf, target))
    return state


def _with_first(target: spdk_conf.Target,
                state: store.State) -> store.State:
    if target.config_file:
        try:
            data = trusted_files.read(target.config_file, follow=True)
            reason = 'there is no such file; correct the path'
            config = None if data is None else configuration.parse(
                data, target.config_file)
        except exceptions.StateError as exc:
            config, reason = None, str(exc)
        if config is None:
            raise exceptions.ConfigurationError(
                f'[{target.name}] config_file', target.config_file, reason)
        state.objects = {**desired_objects.of_config(config),
                         **state.objects}
    return state


def _former(conf: cfg.ConfigOpts,
            target: spdk_conf.Target) -> desired_objects.Objects | None:
    """What a former release has kept; None for nothing."""
    name = former_path(conf, target)
    kept = _read(name)
    refused = sorted(_refused(name), key=lambda path: os.stat(
        path).st_mtime_ns)
    if kept is not None and _makes(kept):
        return _with_lost(name, kept)
    # The target has refused its configuration, or lost all, and the empty
    # one was saved.
    for path in (*reversed(refused), name + '.previous'):
        found = _read(path)
        if found is not None and _makes(found):
            LOG.warning('%s: what it is to have is taken from %s, since %s '
                        'has nothing; drop what it is not to have with '
                        'cyborg-spdk target forget', target.name, path, name)
            return {**found, **(kept or {})}
    return kept


def _with_lost(name: str,
               kept: desired_objects.Objects) -> desired_objects.Objects:
    """With what went in the last loss that was taken for a wish."""
    before = _read(name + '.previous') or {}
    now = observe.Observation(kept, {}, _names(before, kept), {}, {}, {})
    decisions = judge.Judge(before, judge.Facts(now, True, {}))
    found = dict(kept)
    for key, one in before.items():
        if key not in kept and one.is_shown and one.kind != 'option' \
                and decisions.reason(key) is not None:
            found[key] = one
    return found


def _names(before: desired_objects.Objects,
           kept: desired_objects.Objects) -> dict[str, str]:
    """Bdevs that are there, though a configuration does not say so.

    Those of attached controllers, and lvols if no base has gone.
    """
    names = {one.name: key for key, one in kept.items()
             if one.kind == 'bdev'}
    attached = {str(one.params.get('name')) for one in kept.values()
                if one.kind == 'nvme'}
    whole = not any(one.level in (kinds.BASE, kinds.UPPER)
                    and key not in kept for key, one in before.items())
    anything = next(iter(kept), '')
    for one in before.values():
        for below in one.stands_on:
            name = below.removeprefix('bdev:')
            if below not in before and (
                    whole or name.rpartition('n')[0] in attached):
                names.setdefault(name, anything)
    return names


def _makes(objects: desired_objects.Objects) -> bool:
    return any(one.level != kinds.OPTION for one in objects.values())


def _read(path: str) -> desired_objects.Objects | None:
    data = trusted_files.read(path)
    if data is None:
        return None
    try:
        return desired_objects.of_config(configuration.parse(data, path))
    except configuration.Damaged as exc:
        LOG.error('%s; it is left as it is', exc)
        return None


def _refused(name: str) -> list[str]:
    directory, stem = os.path.split(name)
    with contextlib.suppress(OSError):
        return [os.path.join(directory, entry)
                for entry in os.listdir(directory)
                if entry.startswith(stem + '.rejected-')]
    return []


def _put_aside(name: str) -> None:
    """Keep the former file under another name, without its secrets."""
    data = trusted_files.read(name)
    if data is not None:
        with contextlib.suppress(configuration.Damaged):
            config = configuration.parse(data, name)
            for _, call in configuration.calls(config):
                for param in store.SECRETS.get(call['method'], ()):
                    (call.get('params') or {}).pop(param, None)
            data = configuration.dump(config)
        trusted_files.write_atomically(name + '.taken-over', data)
        os.unlink(name)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name + '.from')
