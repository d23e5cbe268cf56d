# SPDX-License-Identifier: Apache-2.0

"""The dashboard and the alert rules in etc/, by a real Prometheus.

Prometheus and promtool are those of Debian's package prometheus, which
.ci/run installs.
"""

import json
import os
import re
import subprocess

import requests
import yaml

from tests.functional.fixtures import host
from tests.functional.fixtures import targets
from tests.functional.service import test_metrics

_ETC = os.path.join(os.path.dirname(__file__), *['..'] * 3, 'etc',
                    'cyborg_spdk')
_ALERTS = os.path.abspath(os.path.join(_ETC, 'alerts.yaml'))
_NAME = re.compile(r'\bcyborg_spdk_[a-z_]+')

#: What a host without guests, wipes and reports has nothing to say of.
_SILENT = {
    'cyborg_spdk_unit_wipe_ratio', 'cyborg_spdk_plugs',
    'cyborg_spdk_plug_problems', 'cyborg_spdk_nvme_path_enabled',
    'cyborg_spdk_missing_objects',
    'cyborg_spdk_report_timestamp_seconds',
    'cyborg_spdk_report_duration_seconds', 'cyborg_spdk_report_all_units',
    'cyborg_spdk_report_held_units', 'cyborg_spdk_report_waiting_units',
    'cyborg_spdk_report_frozen'}


def _expressions():
    """Of the dashboard's panels, with the variables filled in."""
    with open(os.path.join(_ETC, 'dashboard.json')) as stream:
        board = json.load(stream)
    for panel in board['panels']:
        for one in panel.get('targets', ()):
            text = one['expr'].replace('$__rate_interval', '1m')
            yield re.sub(r'\$(host|target|unit)\b', '.*', text)


def _rules():
    with open(_ALERTS) as stream:
        return [rule for group in yaml.safe_load(stream)['groups']
                for rule in group['rules']]


class MonitoringTest(test_metrics.Case):

    def prometheus(self):
        """Start a Prometheus that scrapes the service; its URL."""
        config = self.host.path('prometheus.yaml')
        with open(config, 'w') as stream:
            yaml.safe_dump({
                'global': {'scrape_interval': '1s',
                           'evaluation_interval': '1s'},
                'rule_files': [_ALERTS],
                'scrape_configs': [{
                    'job_name': 'cyborg-spdk', 'static_configs': [
                        {'targets': [f'127.0.0.1:{self.port}']}]}]}, stream)
        subprocess.run(['promtool', 'check', 'config', config], check=True,
                       stdout=subprocess.DEVNULL)
        port = targets.free_port()
        log = open(self.host.path('prometheus.log'), 'wb')  # noqa: SIM115
        self.addCleanup(log.close)
        process = subprocess.Popen(
            ['prometheus', f'--config.file={config}',
             f'--storage.tsdb.path={self.host.path("tsdb")}',
             f'--web.listen-address=127.0.0.1:{port}'],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(self.end, process)
        return f'http://127.0.0.1:{port}/api/v1/'

    def query(self, url, expression):
        try:
            answer = requests.get(url + 'query', {'query': expression},
                                  timeout=60)
        except requests.ConnectionError:
            return None
        if answer.status_code == 503:
            return None  # It is still starting.
        self.assertEqual(200, answer.status_code,
                         f'{expression}: {answer.text}')
        return answer.json()['data']['result']

    def test_a_prometheus_takes_all_of_it(self):
        self.serve()
        url = self.prometheus()
        host.wait_until(
            lambda: self.query(url, 'cyborg_spdk_target_up == 1'),
            'a scrape')
        for expression in _expressions():
            self.query(url, expression)
        rules = requests.get(url + 'rules', timeout=60).json()
        self.assertEqual(
            [rule['alert'] for rule in _rules()],
            [rule['name'] for group in rules['data']['groups']
             for rule in group['rules']])
        known = set(requests.get(
            url + 'label/__name__/values', timeout=60).json()['data'])
        used = set(_NAME.findall(' '.join(
            [*_expressions(), *(rule['expr'] for rule in _rules())])))
        self.assertEqual(set(), used - known - _SILENT - {
            'cyborg_spdk_unit_io_latency_seconds_bucket'})
        self.assertIn('cyborg_spdk_unit_qos_limit', known)

    def test_each_alert_says_what_to_do(self):
        for rule in _rules():
            self.assertEqual({'summary', 'remedy'},
                             set(rule['annotations']), rule['alert'])
