# SPDX-License-Identifier: Apache-2.0

"""Start targets with all that they are to have, and stop them."""

import contextlib
import dataclasses
import functools
import time

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.desired import keep
from cyborg_spdk.desired import kinds
from cyborg_spdk.desired import make
from cyborg_spdk.desired import objects as desired_objects
from cyborg_spdk.desired import observe
from cyborg_spdk.desired import plan
from cyborg_spdk.desired import store
from cyborg_spdk.desired import takeover
from cyborg_spdk.desired import update
from cyborg_spdk import exceptions
from cyborg_spdk.host import process
from cyborg_spdk.host import steps
from cyborg_spdk.host.target import lifecycle
from cyborg_spdk import loggers
from cyborg_spdk import rpc
from cyborg_spdk.rpc.protocol import catalogue

LOG = loggers.get(__name__)

# Seconds after which a deletion is looked at once more before a stop.
_CONFIRM_BEFORE_STOP = 2.0


@dataclasses.dataclass(frozen=True)
class Running:
    """A target that runs and answers.

    :ivar process: its :class:`~cyborg_spdk.host.process.TargetProcess`;
        None for a target that is not on a UNIX socket of this host.
    :ivar started: whether it was started just now.
    :ivar missing: the objects that it is to have and has not, as far as is
        known (tuple of :class:`~cyborg_spdk.desired.objects.Object`).
    """

    process: process.TargetProcess | None
    started: bool
    missing: tuple[desired_objects.Object, ...] = ()


def ensure(conf: cfg.ConfigOpts, target: spdk_conf.Target, *,
           force: bool = False) -> Running:
    """Make sure that a target runs; start it with all it is to have.

    What cannot be made does not stop the rest: it is told, and made when
    its cause is gone (:func:`cyborg_spdk.desired.keep.look`).

    :param conf: the configuration (``oslo_config.cfg.ConfigOpts``).
    :param target: a :class:`cyborg_spdk.conf.Target` of it.
    :param force: as :func:`cyborg_spdk.host.target.lifecycle.ensure`.
    :returns: :class:`Running`.
    :raises HostError: as that.
    """
    giver = _Giver(conf, target)
    try:
        running = lifecycle.ensure(conf, target, force=force,
                                   bring_up=giver.give)
    except exceptions.StartError as exc:
        if not giver.began:
            raise
        # It has ended over its options: without them there is the rest.
        LOG.error('%s: it ended when it was given its options, and is '
                  'started without: %s', target.name, exc)
        giver = _Giver(conf, target, options=str(exc))
        running = lifecycle.ensure(conf, target, force=True,
                                   bring_up=giver.give)
    return Running(running.process, running.started,
                   tuple(missing(conf, target)))


def missing(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> list[
        desired_objects.Object]:
    """What a target was seen to lack last; nothing is asked."""
    if process.socket_path(target) is None:
        return []
    return store.load(conf, target).missing()


def stop(conf: cfg.ConfigOpts, target: spdk_conf.Target, *, kill: bool = False,
         hold: bool = False) -> bool:
    """Stop a target; what it has is kept before, if that can be done.

    :returns: True if it was stopped, False if it did not run.
    :raises HostError: as
        :func:`cyborg_spdk.host.target.lifecycle.stop`.
    """
    return lifecycle.stop(conf, target, kill=kill, hold=hold,
                          before=functools.partial(_keep, conf, target))


def _keep(conf: cfg.ConfigOpts, target: spdk_conf.Target) -> None:
    try:
        client = rpc.connect(target.rpc_address,
                             timeout=conf.spdk.connect_timeout)
        keep.look(conf, target, client, repair=False,
                  confirm=_CONFIRM_BEFORE_STOP,
                  timeout=conf.spdk.connect_timeout)
    except exceptions.SpdkError as exc:
        LOG.warning('%s: what it has was not looked at before the stop: %s',
                    target.name, exc)


class _Giver:
    """Gives a target that was started just now all that it is to have.

    :param options: leave the startup options out, and why.
    :ivar began: whether it may have ended over its options.
    """

    def __init__(self, conf: cfg.ConfigOpts, target: spdk_conf.Target,
                 options: str | None = None):
        self._conf = conf
        self._target = target
        self._without = options
        self._tried: set[str] = set()
        self.began = False

    def give(self, deadline: float) -> None:
        """Initialise the target and make everything.

        :param deadline: point of ``time.monotonic()``.
        :raises SpdkError: if the target ends meanwhile.
        """
        conf, target = self._conf, self._target
        client = rpc.connect(target.rpc_address,
                             timeout=conf.spdk.connect_timeout)
        with store.locked(conf, target, 'start'):
            state = takeover.load(conf, target)
            if target.save_config and not state.exists:
                store.save(state)  # Not twice from config_file.
            seen = keep.begin(conf, target)
            if state.process == seen.identity is not None:
                return  # Another process has done it meanwhile.
            if not _is_initialised(client):
                self._options(client, state, deadline)
                self._initialise(client, deadline)
            self._rest(client, state, seen)

    def _options(self, client: rpc.Client, state: store.State,
                 deadline: float) -> None:
        try:
            names = set(map(catalogue.current_name, client.call(
                'rpc_get_methods', current=True)))
        except exceptions.MethodNotFound:
            # With --rpcs-allowed: the target says what it takes.
            names = {str(one.method) for one in state.objects.values()}
        options = [one for one in state.objects.values()
                   if one.level == kinds.OPTION and one.method in names]
        self._tried = {one.key for one in options}
        if self._without is not None:
            for one in options:
                one.missing_since = one.missing_since or time.time()
                one.why = f'the target ended over it: {self._without}'
            return
        self.began = bool(options)
        steps.tell(self._target.name,
                   f'setting {len(options)} startup options')
        maker = make.Maker(client, state, observe.nothing(),
                           max(1.0, deadline - time.monotonic()))
        maker.make(options)
        _tell_left_out(self._target, maker)

    def _initialise(self, client: rpc.Client, deadline: float) -> None:
        steps.tell(self._target.name, 'initialising')
        left = max(1.0, deadline - time.monotonic())
        with contextlib.suppress(exceptions.NotReady):
            # It is, and --rpcs-allowed keeps it from saying so.
            client.call('framework_start_init', _timeout=left)
        if client.has('framework_wait_init'):
            client.call('framework_wait_init',
                        _timeout=max(1.0, deadline - time.monotonic()))
        self.began = False

    def _rest(self, client: rpc.Client, state: store.State,
              seen: keep.Seen) -> None:
        conf, target = self._conf, self._target
        now = self._look(client)
        for one in state.objects.values():
            self._mark(one, now)
        steps.tell(target.name,
                   f'making {len(state.missing())} objects')
        maker = make.Maker(client, state, now, conf.spdk.rpc_timeout)
        maker.make(plan.due((one for one in state.missing()
                             if one.key not in self._tried),
                            set(), at_once=True))
        _tell_left_out(target, maker)
        result = keep.Result([], made=maker.made)
        if now.config:
            now = self._look(client)
            result.changes = update.apply(state, now, seen.identity,
                                          seen.last, given=True)
        keep.finish(conf, target, state, now, seen, result)

    def _look(self, client: rpc.Client) -> observe.Observation:
        """What the target has; nothing where the release cannot say."""
        try:
            return observe.look(client, None, self._conf.spdk.rpc_timeout)
        except exceptions.MethodNotFound as exc:
            LOG.warning('%s: what it has cannot be kept: %s',
                        self._target.name, exc)
            return observe.nothing()

    def _mark(self, one: desired_objects.Object,
              now: observe.Observation) -> None:
        """Note that an object is to be made."""
        there = now.find(one.key)
        if one.key in self._tried or one.deleted_since is not None or (
                there is not None and not update.is_unset(one, there)):
            return
        if one.missing_since is None:
            one.missing_since, one.why = time.time(), 'not made yet'


def _is_initialised(client: rpc.Client) -> bool:
    try:
        client.call('bdev_get_bdevs', name='-')
    except (exceptions.NotReady, exceptions.MethodNotFound):
        return False
    except exceptions.RpcError:
        pass
    return True


def _tell_left_out(target: spdk_conf.Target, maker: make.Maker) -> None:
    left_out = maker.fitter.left_out
    if left_out:
        LOG.warning('%s: left out, since this release does not know them: '
                    '%s', target.name, ', '.join(
                        f'{name} ({count} times)' if count > 1 else name
                        for name, count in sorted(left_out.items())))
