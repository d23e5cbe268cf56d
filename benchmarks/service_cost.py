# SPDX-License-Identifier: Apache-2.0

"""What ``cyborg-spdk serve`` costs while nothing happens.

    python -m benchmarks.service_cost [UNITS [SECONDS]]

One simulated nvmf_tgt has 1,000 namespaces; the service supervises, repairs
and wipes, and /metrics is scraped every 15 s. Printed are the share of a core
that the service used (not that of the target), with and without the scrapes,
and its memory.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import psutil

from benchmarks import machine
from benchmarks import metrics
from cyborg_spdk import rpc
from tests.functional.fixtures import targets

_CONFIG = '''[agent]
enabled_drivers = spdk_nvmf_driver
[spdk]
spdk_dir = {0}/spdk
run_path = {0}/run
state_path = {0}/state
nvmf_targets = bench
vhost_targets =
[spdk_service]
listen_port = {1}
'''
_WARM = 20.0
_SCRAPE = 15.0


def _get(port, path):
    with urllib.request.urlopen(
            f'http://127.0.0.1:{port}{path}', timeout=60) as answer:
        return answer.read()


def _until_ready(port, deadline):
    while True:
        try:
            duties = json.loads(_get(port, '/health'))['duties']
            if duties['repair bench']['runs'] > 1:
                return
        except (OSError, KeyError):
            pass
        if time.monotonic() > deadline:
            raise RuntimeError('the service did not become ready')
        time.sleep(0.2)


def _share(process, seconds, port=None):
    """Share of a core that a process uses over some seconds."""
    before, began = process.cpu_times(), time.monotonic()
    while (left := began + seconds - time.monotonic()) > 0:
        if port:
            _get(port, '/metrics')
        threading.Event().wait(min(_SCRAPE, max(0.0, left)))
    after, spent = process.cpu_times(), time.monotonic() - began
    return (after.user + after.system - before.user - before.system) / spent


def main():
    """Measure and print."""
    count = int(sys.argv[1]) if sys.argv[1:] else 1000
    seconds = float(sys.argv[2]) if sys.argv[2:] else 60.0
    # An end by a signal clears up as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    directory = tempfile.mkdtemp(prefix='bench-')
    port = targets.free_port()
    for name in ('run', 'state'):
        os.mkdir(os.path.join(directory, name), 0o750)
    subprocess.run([sys.executable, '-m', 'spdk_simulator', 'install',
                    os.path.join(directory, 'spdk')], check=True,
                   stdout=subprocess.DEVNULL)
    config = os.path.join(directory, 'conf')
    with open(config, 'w') as stream:
        stream.write(_CONFIG.format(directory, port))
    command = [sys.executable, '-m', 'cyborg_spdk.cli.main',
               '--config-file', config]
    with open(os.path.join(directory, 'log'), 'wb') as log:
        subprocess.run([*command, 'target', 'start'], check=True, stdout=log,
                       stderr=log)
        client = rpc.connect(os.path.join(directory, 'run', 'bench.sock'))
        metrics.fill(client, count)
        service = subprocess.Popen([*command, 'serve'], stdout=log,
                                   stderr=log)
    try:
        _until_ready(port, time.monotonic() + 120)
        time.sleep(_WARM)
        process = psutil.Process(service.pid)
        quiet = _share(process, seconds)
        scraped = _share(process, seconds, port)
        memory = process.memory_info().rss / (1 << 20)
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait()
        subprocess.run([*command, 'target', 'stop'], check=False,
                       stdout=subprocess.DEVNULL)
        shutil.rmtree(directory)
    print(machine.describe())
    machine.table(('cyborg-spdk serve at rest', ''), [
        ('units', count), ('share of a core', f'{quiet:.2%}'),
        ('scraped every 15 s', f'{scraped:.2%}'),
        ('resident memory', f'{memory:.0f} MiB')])


if __name__ == '__main__':
    main()
