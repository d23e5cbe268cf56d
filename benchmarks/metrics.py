# SPDX-License-Identifier: Apache-2.0

"""What a scrape of /metrics takes, and what it costs others.

    python -m benchmarks.metrics [NAMESPACES]

On a real nvmf_tgt with ``CYBORG_SPDK_TEST_SPDK_DIR``, else on the simulator.
Printed are: the time of a scrape that reads the target and of one that does
not, and how much slower the calls of another client are while /metrics is
scraped every second, in alternate windows of one run.
"""

import contextlib
import http.client
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from oslo_config import cfg

from benchmarks import machine
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import enabled
from cyborg_spdk import exceptions
from cyborg_spdk import rpc
from cyborg_spdk.service import endpoint
from cyborg_spdk.service.metrics import exposition
from cyborg_spdk.service import options

_NAMESPACES = 4096
_WIDTH = 512
_WINDOW = 4.0
_PAIRS = 5


def serve(path, state):
    """The endpoint of the service with one target, until it is killed."""
    conf = cfg.ConfigOpts()
    conf([])
    spdk_conf.register(conf)
    options.register(conf)
    for name, value in (('state_path', state), ('run_path', state),
                        ('nvmf_targets', ['bench']), ('vhost_targets', []),
                        ('iscsi_targets', [])):
        conf.set_override(name, value, group='spdk')
    spdk_conf.targets(conf)
    conf.set_override('rpc_address', path, group='bench')
    conf.set_override('listen_port', 0, group=options.GROUP)
    metrics = exposition.Metrics(
        conf, lambda: enabled.targets(conf), dict)
    print(endpoint.Endpoint(conf, {'/metrics': metrics}).port, flush=True)
    sys.stdin.read()


def start(directory):
    """Start a target; returns its process and the path of its socket."""
    path = os.path.join(directory, 'rpc.sock')
    real = os.environ.get('CYBORG_SPDK_TEST_SPDK_DIR')
    command = [
        os.path.join(real, 'build', 'bin', 'nvmf_tgt'), '-m', '0x1',
        '--no-huge', '-s', '1024', '--iova-mode=va'] if real else [
        sys.executable, '-m', 'spdk_simulator', 'nvmf_tgt']
    with open(os.path.join(directory, 'log'), 'wb') as log:
        process = subprocess.Popen([*command, '-r', path], cwd=directory,
                                   stdout=log, stderr=log)
    while True:
        try:
            rpc.connect(path).call('spdk_get_version', _timeout=60)
            return process, path
        except exceptions.SpdkError:
            if process.poll() is not None:
                raise
        time.sleep(0.05)


def fill(client, count):
    """Give a target namespaces, 512 to a subsystem."""
    names = [f'Null{number}' for number in range(count)]
    client.call_many([rpc.Request('bdev_null_create', {
        'name': name, 'num_blocks': 2048, 'block_size': 512})
        for name in names], timeout=300, raise_errors=True)
    for first in range(0, count, _WIDTH):
        nqn = f'nqn.2016-06.io.spdk:cnode{first // _WIDTH}'
        client.call('nvmf_create_subsystem', nqn=nqn, max_namespaces=_WIDTH,
                    allow_any_host=True)
        client.call_many([rpc.Request('nvmf_subsystem_add_ns', {
            'nqn': nqn, 'namespace': {'bdev_name': name}})
            for name in names[first:first + _WIDTH]], timeout=600,
            raise_errors=True)


def scrape(port):
    """Seconds of a scrape, and the bytes of its answer."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
    connection.request('GET', '/metrics')
    size = len(connection.getresponse().read())
    connection.close()
    return time.perf_counter() - began, size


def window(client, port):
    """Mean seconds of a call; scraped every second if there is a port."""
    times, due = [], time.monotonic()
    end = due + _WINDOW
    scraper = port and subprocess.Popen([
        sys.executable, '-c', _SCRAPER, str(port), str(_WINDOW)])
    while time.monotonic() < end:
        began = time.perf_counter()
        client.call('spdk_get_version')
        times.append(time.perf_counter() - began)
    if scraper:
        scraper.wait()
    return statistics.mean(times)


# Without an import of ours, whose time would be counted.
_SCRAPER = '''
import sys, time, urllib.request
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/metrics").read()
    time.sleep(1)
'''


def measure(path, count, state):
    """Measure and print."""
    client = rpc.connect(path)
    fill(client, count)
    child = subprocess.Popen(
        [sys.executable, '-m', 'benchmarks.metrics', 'serve', path, state],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        port = int(child.stdout.readline())
        scrape(port)
        reading, cached = [], []
        for _ in range(3):
            time.sleep(5.5)
            seconds, size = scrape(port)
            reading.append(seconds)
            cached.append(scrape(port)[0])
        pairs = [(window(client, None), window(client, port))
                 for _ in range(_PAIRS)]
    finally:
        child.stdin.close()
        child.wait()
    quiet, scraped = (statistics.median(column)
                      for column in zip(*pairs, strict=True))
    machine.table(('/metrics', ''), [
        ('namespaces', count), ('bytes', size),
        ('scrape that reads the target', f'{min(reading):.2f} s (best), '
         f'{statistics.median(reading):.2f} s (median)'),
        ('scrape within metrics_cache',
         f'{statistics.median(cached) * 1000:.0f} ms'),
        ("another's call, without", f'{quiet * 1000:.2f} ms'),
        ("another's call, scraped every second",
         f'{scraped * 1000:.2f} ms ({scraped / quiet - 1:+.1%})')])


def main():
    """Run it."""
    if sys.argv[1:2] == ['serve']:
        serve(*sys.argv[2:])
        return
    print(machine.describe())
    directory = tempfile.mkdtemp(prefix='bench-')
    process = None
    try:
        process, path = start(directory)
        measure(path, int(sys.argv[1]) if sys.argv[1:] else _NAMESPACES,
                directory)
    finally:
        if process is not None:
            with contextlib.suppress(exceptions.SpdkError):
                rpc.disconnect(path)
            process.terminate()
            process.wait()
        shutil.rmtree(directory)


if __name__ == '__main__':
    main()
