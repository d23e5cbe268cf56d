# SPDX-License-Identifier: Apache-2.0

"""The host service as a process: its duties, its signals, its end."""

from collections.abc import Iterator
import contextlib
import queue
import signal
import time
from typing import Any

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import enabled
from cyborg_spdk import exceptions
from cyborg_spdk.host import locks
from cyborg_spdk.host import process
from cyborg_spdk.host import trusted_files
from cyborg_spdk import loggers
from cyborg_spdk.service import declared
from cyborg_spdk.service import duty as duties
from cyborg_spdk.service import endpoint as endpoints
from cyborg_spdk.service.metrics import exposition
from cyborg_spdk.service import options
from cyborg_spdk.service import repair
from cyborg_spdk.service import schedule as schedules
from cyborg_spdk.service import supervise
from cyborg_spdk.service import systemd
from cyborg_spdk.service import wipe

LOG = loggers.get(__name__)

# Seconds to wait for another service that is just ending.
_LOCK_TIMEOUT = 2.0


class Service:
    """The duties of one host.

    :param conf: the configuration.
    :raises ConfigurationError: for options that cannot be used.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        options.check(conf)
        self._conf = conf
        self._asked: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._schedule = schedules.Schedule(self._duties())
        self._metrics = exposition.Metrics(
            conf, self._targets, lambda: self._schedule.states())

    def once(self) -> tuple[str, ...]:
        """Do each duty once.

        :returns: what is wrong, one line each.
        :raises StateError: if another service of this host is running.
        """
        with self._alone():
            try:
                self._schedule.once()
            finally:
                self._schedule.close()
        return tuple(
            problem for state in self._schedule.states().values()
            for problem in state.problems)

    def run(self) -> None:
        """Do the duties until SIGTERM or SIGINT; SIGHUP reads anew.

        :raises StateError: if another service of this host is running.
        :raises ConfigurationError: for options that cannot be used.
        """
        with self._alone(), self._signals():
            endpoint = self._endpoint()
            try:
                self._schedule.start()
                systemd.notify('READY=1')
                while self._next_signal() == signal.SIGHUP:
                    self._reload()
                systemd.notify('STOPPING=1')
            finally:
                self._schedule.stop()
                self._schedule.close()
                if endpoint is not None:
                    endpoint.close()
                self._metrics.close()

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Whether all is well, and each duty as JSON."""
        now = time.monotonic()
        shown = {}
        for name, state in self._schedule.states().items():
            shown[name] = {
                'ok': not state.problems, 'problems': list(state.problems),
                'runs': state.runs, 'running': state.running,
                'seconds_since_last': None if state.ended is None
                else round(now - state.ended, 3), **state.outcome.facts}
        well = all(one['ok'] for one in shown.values())
        return well, {'status': 'ok' if well else 'degraded',
                      'duties': shown}

    def _duties(self) -> list[duties.Duty]:
        wanted = self._conf[options.GROUP].duties
        found: list[duties.Duty] = []
        for target in self._targets():
            if process.socket_path(target) is None:
                continue  # Another host's service supervises it.
            if 'supervise' in wanted and target.start:
                found.append(supervise.Supervise(
                    self._conf, target, self._target_started))
            if 'repair' in wanted and (target.start or target.repair):
                found.append(repair.Repair(self._conf, target))
        if 'units' in wanted and self._conf.spdk.units_file:
            found.append(declared.DeclaredUnits(self._conf))
        if 'wipe' in wanted:
            found.append(wipe.WipeUnits(self._conf))
        if 'plug' in wanted:
            found.append(self._plug())
        return found

    def _targets(self) -> list[spdk_conf.Target]:
        return enabled.targets(self._conf)

    def _plug(self) -> duties.Duty:
        # libvirt is not everywhere.
        from cyborg_spdk.service.plug import duty as plug_duty
        return plug_duty.PlugUnits(
            self._conf, lambda name: self._schedule.wake(name))

    def _target_started(self, target: spdk_conf.Target) -> None:
        self._schedule.wake(f'{duties.REPAIR} {target.name}')
        # Its sockets are new.
        self._schedule.wake(duties.PLUG)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        state_path = trusted_files.ensure_directory(
            self._conf.spdk.state_path, what='[spdk] state_path')
        with locks.hold(state_path, 'service', _LOCK_TIMEOUT,
                        doing='cyborg-spdk serve'):
            yield

    def _endpoint(self) -> endpoints.Endpoint | None:
        if not self._conf[options.GROUP].listen_port:
            return None
        return endpoints.Endpoint(self._conf, {
            '/health': endpoints.json_application(self.health),
            '/metrics': self._metrics})

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before = {number: signal.signal(
            number, lambda given, _frame: self._asked.put(given))
            for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _next_signal(self) -> int:
        """Wait for one of our signals; tell systemd that we live."""
        watchdog = systemd.watchdog_seconds()
        while True:
            try:
                return self._asked.get(
                    timeout=watchdog and watchdog / 3)
            except queue.Empty:
                systemd.notify('WATCHDOG=1')

    def _reload(self) -> None:
        """Read the configuration anew; keep the old one if it is bad."""
        systemd.notify(f'RELOADING=1\nMONOTONIC_USEC='
                       f'{time.monotonic_ns() // 1000}')
        try:
            # oslo.config has said what is wrong with the file, and raises
            # nothing.
            if not self._conf.reload_config_files():
                raise exceptions.StateError('a file has an error')
            options.check(self._conf)
            new = schedules.Schedule(self._duties())
        except (exceptions.SpdkError, cfg.Error) as exc:
            LOG.error('the configuration was not read anew: %s', exc)
        else:
            self._schedule.stop()
            self._schedule.close()
            self._schedule = new
            new.start()
            LOG.info('the configuration was read anew')
        systemd.notify('READY=1')
