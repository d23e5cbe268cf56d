# SPDX-License-Identifier: Apache-2.0

"""What the drivers have in common: start, read, report."""

import itertools
import logging
import os
import time
from typing import Any

from cyborg.accelerator.drivers import driver
from cyborg.conf import CONF
from cyborg.objects.driver_objects import driver_device

from cyborg_spdk import conditions
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.drivers import declared
from cyborg_spdk.drivers.report import entries
from cyborg_spdk.drivers.report import hostname
from cyborg_spdk.drivers.report import inventory
from cyborg_spdk.drivers.report import reporter
from cyborg_spdk.drivers import saving
from cyborg_spdk.drivers import surveys
from cyborg_spdk.drivers import upkeep
from cyborg_spdk import enabled
from cyborg_spdk import exceptions
# An import that a fork cuts in two is never finished: not in a thread.
from cyborg_spdk.host import privileged  # noqa: F401
from cyborg_spdk.host import process
from cyborg_spdk import loggers
from cyborg_spdk import rpc
from cyborg_spdk import tasks
from cyborg_spdk.units import firmware
from cyborg_spdk.units import placement
from cyborg_spdk.units import report_account
from cyborg_spdk.units import stats

LOG = loggers.get(__name__)

#: Seconds that one discover() waits for targets that are being started. One
#: that takes longer is in the next report. The first one of a process waits
#: for ``[spdk] start_timeout``: all targets come up then, and a report
#: without them would leave the host without its devices for a minute.
START_WAIT = 15.0
#: Seconds after which the agent gives up a report, if oslo.messaging does
#: not tell: its default.
RPC_TIMEOUT = 60

# Several drivers of one name may live in one process.
_COUNT = itertools.count(1)

# The options of [spdk] by name.
_OPTIONS = {option.name: option for option in spdk_conf.SPDK_OPTS}


def _usable(name: str) -> Any:
    """A value of [spdk]; its default where it cannot be used.

    The survey of each target tells what is wrong with it.
    """
    try:
        return spdk_conf.value(CONF, spdk_conf.GROUP, _OPTIONS[name])
    except exceptions.ConfigurationError:
        return _OPTIONS[name].default


class SpdkDriver(driver.GenericDriver):
    """A Cyborg driver for all targets of one kind on this host.

    Making one starts nothing and holds nothing: the agent makes its drivers
    in one process and reports from a fork of it. The first report in a
    process starts the targets.

    :cvar KIND: one of :data:`cyborg_spdk.conf.KINDS`.
    :cvar NAME: name of the entry point.
    """

    KIND: str = ''
    NAME: str = ''

    def __init__(self) -> None:
        self._number = next(_COUNT)
        # The one that has reported; a fork of it has not.
        self._process: int | None = None
        self._conditions = conditions.Conditions()
        self._placement = placement.Placement()
        self._hostname = hostname.HostName(self._placement)
        self._reporter = reporter.Reporter(self._placement, self._conditions)
        self._saver = saving.Saver(CONF, self._conditions)
        self._declared = declared.DeclaredUnits(CONF, self.KIND,
                                                self._conditions)

    def start(self, *kinds: str) -> None:
        """Begin to start targets that this process has not looked at yet.

        Does not wait, unless ``[spdk] parallel`` is false; never raises.

        :param kinds: kinds of the targets; none means this driver's own.
        """
        surveys.start(CONF, *kinds or (self.KIND,))

    def init_host(self) -> None:
        """Log what ``doctor`` finds. Never raises.

        Meant for the start of the agent; Cyborg 17 does not call it yet.
        """
        upkeep.check_host(CONF, self.KIND)

    def cleanup(self, device: Any) -> None:
        """Wipe what is dirty and free of a device. Never raises.

        Cyborg 17 does not call it yet; the host service does the same.

        :param device: Cyborg's ``Device``.
        """
        upkeep.clean(CONF, self.KIND, device)

    def discover(self) -> list[driver_device.DriverDevice]:
        """The devices of this host, for the agent's report.

        Never raises. A target that could not be read is a stub, which
        Cyborg leaves as it is.

        :returns: list of ``DriverDevice``, one for each target.
        """
        began = time.monotonic()
        # The agent asks its drivers one after the other; the targets of all
        # of them come up meanwhile.
        self.start(*self._enabled())
        found = self.survey(self._patience())
        for survey in found:
            self._conditions.tell(
                survey.target.name, 'not readable',
                survey.error and f'{survey.error}; Cyborg keeps what it has '
                                 'of this target', logging.ERROR)
            if survey.error is None:
                self._saver.save(survey.target)
        self._declared.make()
        directory = CONF.spdk.state_path
        host = self._hostname.get(filter(None, (
            self._reporter.remembered(directory, survey.target.name)
            for survey in found)))
        self._reporter.begin(self._settings(directory, host))
        # First: what they give up here may be in a device below next time.
        former = self._former()
        # Two devices of one name would be one to Cyborg.
        devices = [self._device(host, survey) for survey in found
                   if not surveys.namesake(CONF, self.KIND,
                                           survey.target.name)]
        # What starting and reading at once has saved.
        LOG.debug('%s: %s', self.NAME, tasks.summary())
        self._account(directory, found, time.monotonic() - began)
        return devices + former

    def _account(self, directory: str, found: list[surveys.Survey],
                 seconds: float) -> None:
        """Leave what became of the report for whoever looks."""
        unread = {survey.target.name: report_account.Device(
            stub=True, frozen=str(survey.error))
            for survey in found if survey.error is not None}
        try:
            report_account.save(directory, self.KIND, report_account.Account(
                time.time(), seconds, {**self._reporter.devices, **unread}))
        except exceptions.StateError as exc:
            # What the report itself could not write is told there; of this
            # one the metrics tell, by the time of the last account.
            LOG.debug('%s: account of the report: %s', self.NAME, exc)

    def _patience(self) -> float:
        """Seconds that this report waits for targets."""
        if self._process == os.getpid():
            return START_WAIT
        self._process = os.getpid()
        try:
            spdk_conf.check(CONF)
        except exceptions.SpdkError:
            return START_WAIT
        return max(START_WAIT, CONF.spdk.start_timeout)

    def survey(self, start_wait: float = START_WAIT) -> list[surveys.Survey]:
        """Read all targets, starting those that do not run. Never raises.

        :param start_wait: seconds to wait for targets that are being
            started.
        :returns: in the order of the configuration.
        """
        return surveys.of_kind(CONF, self.KIND, start_wait,
                               f'{self.NAME} {self._number}')

    def update(self, control_path: str, image_path: str) -> bool:
        """Give the NVMe controllers behind a target a firmware image.

        Never raises; what stands in the way is logged.

        :param control_path: which target: the device's control path.
        :param image_path: path of the image, on the target's host.
        :returns: True if there are controllers behind the target that
            take firmware, and all have taken it.
        """
        try:
            spdk_conf.check(CONF)
            name = firmware.target_name(control_path)
            if name not in CONF.spdk[f'{self.KIND}_targets']:
                raise exceptions.InvalidValue(
                    'control path', name, 'no target of this kind has that '
                                          'name')
            target = spdk_conf.target(CONF, self.KIND, name)
            if process.socket_path(target):
                firmware.check_image(image_path)
                image_path = os.path.abspath(image_path)
            client = rpc.connect(target.rpc_address,
                                 timeout=CONF.spdk.connect_timeout)
            return firmware.apply(client, name, image_path)
        except exceptions.SpdkError as exc:
            LOG.error('firmware: %s', exc)
            return False

    def get_stats(self) -> dict[str, dict[str, Any]]:
        """What the targets have counted since they started. Never raises.

        :returns: dict by control path (the device), each with the device's
            own numbers and, under ``accelerators``, those of each
            deployable by its attach handle; see
            :func:`cyborg_spdk.units.stats.totals`. A target that could not
            be read has ``{"error": reason}``.
        """
        found = {}
        host = self._hostname.get()
        for target, look in self.looks():
            found[entries.control_path(host, target.name)] = \
                {'error': str(look)} if isinstance(look, Exception) \
                else stats.totals(look)
        return found

    def looks(self) -> list[
            tuple[spdk_conf.Target, stats.Look | exceptions.SpdkError]]:
        """A look at each target's statistics. Never raises.

        Nothing is started.

        :returns: list of pairs: :class:`~cyborg_spdk.conf.Target`, and
            :class:`~cyborg_spdk.units.stats.Look` or :exc:`SpdkError`.
        """
        pairs: list[tuple[
            spdk_conf.Target, stats.Look | exceptions.SpdkError]] = []
        for target in surveys.targets(CONF, self.KIND):
            if isinstance(target, surveys.Survey):
                if target.error:
                    pairs.append((target.target, target.error))
                continue
            try:
                client = rpc.connect(target.rpc_address,
                                     timeout=CONF.spdk.connect_timeout)
                pairs.append((target, stats.look(
                    client, self.KIND, min(CONF.spdk.rpc_timeout,
                                           surveys.READ_WAIT))))
            except exceptions.SpdkError as exc:
                pairs.append((target, exc))
        return pairs

    def _enabled(self) -> list[str]:
        """Kinds of our drivers that the agent has; none if not this one."""
        ours = enabled.of_agent(CONF)
        return ours if self.KIND in ours else []

    def _settings(self, directory: str, host: str) -> reporter.Settings:
        """What holds for one report.

        Cyborg takes away all devices of a driver that is disabled, and if
        one is allocated, it fails, and so does the report of the whole
        host. So the first of our drivers looks after what those that are
        not enabled have left.
        """
        # All, if it is used by itself and not by the agent.
        ours = self._enabled() or list(spdk_conf.KINDS)
        kinds = {self.KIND}
        if ours[0] == self.KIND:
            kinds |= set(spdk_conf.KINDS) - set(ours)
        targets = {kind: _usable(f'{kind}_targets')
                   for kind in spdk_conf.KINDS}
        return reporter.Settings(
            directory=directory, host=host, kinds=frozenset(kinds),
            names=frozenset(name for kind in ours
                            for name in targets[kind]),
            first=ours[0] == self.KIND,
            configured={name: kind for kind in spdk_conf.KINDS
                        for name in targets[kind]},
            max_new=_usable('max_new_units'),
            max_new_limit=_usable('max_new_units_limit'),
            full_interval=_usable('full_report_interval'),
            timeout=getattr(CONF, 'rpc_response_timeout', RPC_TIMEOUT))

    def _device(self, host: str,
                survey: surveys.Survey) -> driver_device.DriverDevice:
        if survey.contents is not None:
            try:
                return self._reporter.device(survey.target, survey.contents)
            except Exception:
                LOG.exception('%s: Cyborg keeps what it has of this target',
                              survey.target.name)
        return inventory.stub(host, survey.target)

    def _former(self) -> list[driver_device.DriverDevice]:
        try:
            return self._reporter.former()
        except Exception:
            LOG.exception('targets that are configured no more')
            return []
