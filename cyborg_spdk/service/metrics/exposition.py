# SPDX-License-Identifier: Apache-2.0

"""/metrics as a WSGI application.

prometheus_client is imported when it is needed: the service does without.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import importlib.util
from typing import Any

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.service import duty as duties
from cyborg_spdk.service.metrics import cache
from cyborg_spdk.service.metrics import of_units
from cyborg_spdk.units import report_account

_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8'
_REMEDY = (b'prometheus_client is not installed; '
           b'pip install cyborg-spdk[metrics]\n')


def installed() -> bool:
    """Whether there can be metrics."""
    return importlib.util.find_spec('prometheus_client') is not None


class Metrics:
    """The application.

    :param conf: the configuration.
    :param targets: tells the targets.
    :param states: tells what is known of the duties, by name.
    """

    def __init__(self, conf: cfg.ConfigOpts,
                 targets: Callable[[], Sequence[spdk_conf.Target]],
                 states: Callable[[], Mapping[str, duties.State]]) -> None:
        self._conf = conf
        self._targets = targets
        self._states = states
        self._cache = cache.Cache(conf)
        # The last readings, and what was made of their units.
        self._written: tuple[list[object], str] = ([], of_units.text(()))

    def __call__(self, environ: dict[str, Any],
                 start_response: Any) -> Iterable[bytes]:
        status, kind, body = '200 OK', _TYPE, b''
        if not installed():
            status, kind, body = '501 Not Implemented', 'text/plain', _REMEDY
        else:
            body = self.text().encode()
        start_response(status, [
            ('Content-Type', kind), ('Cache-Control', 'no-store'),
            ('Content-Length', str(len(body)))])
        return [] if environ['REQUEST_METHOD'] == 'HEAD' else [body]

    def text(self) -> str:
        """All metrics as OpenMetrics. Blocks for some seconds at most."""
        from prometheus_client.openmetrics import exposition
        from prometheus_client import registry

        from cyborg_spdk.service.metrics import of_service
        from cyborg_spdk.service.metrics import of_targets
        readings = self._cache.get(self._targets())
        states = self._states()

        class Few(registry.Collector):
            """What there is little of."""

            def collect(self) -> Iterable[Any]:
                yield from of_targets.families(readings, states)
                yield from of_service.families(states, reports)

        reports = report_account.load_all(self._conf)
        few = exposition.generate_latest(Few())
        return self._units(readings) + few.decode()

    def close(self) -> None:
        """Let go of the connections."""
        self._cache.close()

    def _units(self, readings: list[cache.Cached]) -> str:
        now: list[object] = [found.reading for found in readings]
        before, text = self._written
        if len(before) != len(now) or any(
                one is not other
                for one, other in zip(before, now, strict=True)):
            text = of_units.text(readings)
            self._written = now, text
        return text
