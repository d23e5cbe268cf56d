# SPDX-License-Identifier: Apache-2.0

"""How fast units are wiped, what that costs others, and whether limits hold.

    CYBORG_SPDK_TEST_SPDK_DIR=DIR python -m benchmarks.units [wipe] [limits]

On a real spdk_tgt, which has its reactor on core 0; the consumers are SPDK's
own spdk_nvme_perf and bdevperf on core 1. ``wipe`` wipes a volume of 4 GiB on
an aio bdev: without a bound, by each export and with other commands, beside
write_zeroes by bdevperf; then as it is by default, with reads of 4 KiB of
another volume of the same store beside it. ``limits`` sets QoS limits with
attach, and then others, while a consumer is attached.
"""

import json
import os
import re
import statistics
import subprocess
import sys

from oslo_config import cfg

from benchmarks import machine
from cyborg_spdk import clients
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.units import attach
from cyborg_spdk.units.attach import qos
from cyborg_spdk.units.wipe import run
from cyborg_spdk.units.wipe import zero
from tests.functional.fixtures import clients as client_fixtures
from tests.functional.fixtures import target as target_fixture

_GIB = 1 << 30
_SIZE = 4 * _GIB
_HOST = 'nqn.2016-06.io.spdk:bench'
_SECONDS = 5


class Bench:
    """A target, its configuration, and consumers.

    :param spdk: the fixture of the target.
    """

    def __init__(self, spdk):
        self.spdk, self.client = spdk, spdk.connect()
        self.nvmf = clients.NvmfTgt(self.client)
        for name in ('run', 'state'):
            os.mkdir(spdk.path(name), 0o750)
        path = spdk.path('conf')
        with open(path, 'w') as out:
            out.write(f'[spdk]\nrun_path = {spdk.path("run")}\n'
                      f'state_path = {spdk.path("state")}\n')
            for kind in spdk_conf.KINDS:
                out.write(f'[spdk_{kind}]\napplication = spdk_tgt\n'
                          f'start = false\nrpc_address = {spdk.socket}\n')
        self.conf = cfg.ConfigOpts()
        self.conf(['--config-file', path], default_config_files=[path])
        self.targets = {one.kind: one
                        for one in spdk_conf.targets(self.conf)}
        self.nvmf.nvmf_create_transport('TCP')
        self.port = client_fixtures.free_port()

    def export(self, bdev, nqn, any_host=False):
        """A subsystem of its own; returns the handle."""
        self.nvmf.nvmf_create_subsystem(nqn, allow_any_host=any_host)
        self.nvmf.nvmf_subsystem_add_ns(nqn, bdev)
        self.nvmf.nvmf_subsystem_add_listener(
            nqn, f'tcp://127.0.0.1:{self.port}')
        return {'nqn': nqn, 'nsid': '1'}

    def perf(self, nqn, *arguments):
        """SPDK's initiator, as it starts; its output is to be read."""
        where = f'trtype:TCP adrfam:IPv4 traddr:127.0.0.1 ' \
            f'trsvcid:{self.port} subnqn:{nqn} hostnqn:{_HOST}'
        return subprocess.Popen(
            [_program('bin/spdk_nvme_perf'), '--no-huge', '-s', '400',
             '-c', '0x2', '-o', '4096', '-r', where, *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)

    def set(self, **options):
        """Set options of [spdk]."""
        for name, value in options.items():
            self.conf.set_override(name, value, group='spdk')


def _program(name):
    return os.path.join(target_fixture.SPDK_DIR, 'build', name)


def _said(process):
    out, _err = process.communicate(timeout=600)
    if process.returncode:
        raise RuntimeError(out)
    return out


# Wipe

def _zeroes(bench, kind, handle):
    """MiB/s of the zeroes, and of the wipe with its check."""
    rates = {}
    done = run.wipe(bench.conf, bench.targets[kind], handle,
                    listener=lambda one: rates.update({one.step: one.rate}))
    return rates['zeroes'] / 2 ** 20, done.size / 2 ** 20 / done.seconds


def _bdevperf(bench, nqn, depth, size):
    """MiB/s of write_zeroes by SPDK's initiator."""
    config = bench.spdk.path('bdevperf')
    with open(config, 'w') as out:
        json.dump({'subsystems': [{'subsystem': 'bdev', 'config': [{
            'method': 'bdev_nvme_attach_controller', 'params': {
                'name': 'X', 'trtype': 'TCP', 'adrfam': 'IPv4',
                'traddr': '127.0.0.1', 'trsvcid': str(bench.port),
                'subnqn': nqn, 'hostnqn': _HOST}}]}]}, out)
    said = _said(subprocess.Popen(
        [_program('examples/bdevperf'), '--json', config, '-m', '0x2',
         '--no-huge', '-s', '1200', '--disable-cpumask-locks',
         '-r', bench.spdk.path('perf'), '-w', 'write_zeroes',
         '-q', str(depth), '-o', str(size), '-t', str(_SECONDS)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True))
    # Total : IOPS MiB/s ...
    return float(re.search(r'Total\s*:\s*\S+\s+(\S+)', said).group(1))


def _neighbour(bench, nqn, during):
    """Latencies (us) of 4 KiB reads while something is done: p50, p99."""
    process = bench.perf(nqn, '-q', '1', '-w', 'randread', '-L', '-t',
                         str(_SECONDS))
    begin, wiped = _reads(bench, 'S/other'), []
    while during and process.poll() is None:
        if _reads(bench, 'S/other') > begin:
            wiped.append(during())
    said = _said(process)
    return [float(re.search(rf'^\s*{percent}\S*%\s*:\s*([\d.]+)us', said,
                            re.M).group(1)) for percent in (50, 99)], wiped


def _reads(bench, bdev):
    found = bench.client.call('bdev_get_iostat', names=[bdev])
    return found['bdevs'][0]['num_read_ops']


def wipe(bench):
    """Print what a wipe takes."""
    path = bench.spdk.path('disk')
    with open(path, 'wb') as out:
        os.posix_fallocate(out.fileno(), 0, 9 * _GIB)
    bench.nvmf.bdev_aio_create(path, 'disk', 4096)
    bench.nvmf.bdev_lvol_create_lvstore('disk', 'S', clear_method='none')
    for name, size in (('unit', _SIZE), ('vhost', _SIZE),
                       ('other', 256 << 20)):
        bench.nvmf.bdev_lvol_create('S', name, size)
    unit = bench.export('S/unit', 'nqn.2016-06.io.spdk:unit')
    other = bench.export('S/other', 'nqn.2016-06.io.spdk:other', True)
    clients.VhostTgt(bench.client).vhost_create_blk_controller(
        'blk', 'S/vhost')
    blk = {'socket': bench.spdk.path('blk')}
    # Blocks that were never written are quicker than others.
    for kind, handle in (('nvmf', unit), ('vhost', blk)):
        _zeroes(bench, kind, handle)
    rows = []
    for kind, handle in (('nvmf', unit), ('vhost', blk)):
        for depth, size in ((zero.UNBOUNDED.depth, 64), (1, 64), (32, 16),
                            (4, 1)):
            bench.set(wipe_depth=depth, wipe_size_mb=size)
            rates = [_zeroes(bench, kind, handle) for _count in range(3)]
            rows.append((f'{kind}, {depth} x {size} MiB', *(
                round(statistics.median(one)) for one
                in zip(*rates, strict=True))))
    bench.nvmf.nvmf_subsystem_add_host(unit['nqn'], _HOST)
    for depth, size in ((8, 32), (32, 4)):
        rows.append((f'bdevperf, {depth} x {size} MiB', round(_bdevperf(
            bench, unit['nqn'], depth, size << 20)), ''))
    bench.nvmf.nvmf_subsystem_remove_host(unit['nqn'], _HOST)
    fastest = max(row[1] for row in rows)
    print('Zeroes over 4 GiB of a volume on aio, without a bound')
    machine.table(
        ('way', 'MiB/s', 'of the fastest', 'with the check MiB/s'),
        [(row[0], row[1], f'{row[1] / fastest:.2f}', row[2])
         for row in rows])
    for name in ('wipe_depth', 'wipe_size_mb'):
        bench.conf.clear_override(name, group='spdk')
    alone, _none = _neighbour(bench, other['nqn'], None)
    beside, wiped = _neighbour(
        bench, other['nqn'], lambda: _zeroes(bench, 'nvmf', unit))
    print('Reads of 4 KiB of another volume, one at a time, and the wipe by '
          'default')
    machine.table(
        ('', 'p50 us', 'p99 us', 'wipe MiB/s'),
        [('alone', *alone, ''),
         ('beside wipes', *beside,
          round(statistics.median(one[0] for one in wiped)))])


# Limits

def _rates(said):
    # Total : IOPS MiB/s ...
    found = re.search(r'^Total\s*:\s*(\S+)\s+(\S+)', said, re.M)
    return float(found.group(1)), float(found.group(2))


def limits(bench):
    """Print whether limits hold."""
    bench.nvmf.bdev_malloc_create('M', 64 << 20, 4096)
    unit = bench.export('M', 'nqn.2016-06.io.spdk:limited')
    target, rows = bench.targets['nvmf'], []

    def measure(pattern, **wanted):
        # The same consumer, attached already from the second time on.
        attach.attach(bench.conf, target, unit, _HOST,
                      limits={**dict.fromkeys(qos.NAMES, 0), **wanted})
        found = _rates(_said(bench.perf(
            unit['nqn'], '-q', '32', '-w', pattern, '-t', str(_SECONDS))))
        for name, value in wanted.items():
            seen = found['mbytes' in name]
            rows.append((pattern, f'{name} {value}', f'{seen:.1f}',
                         f'{seen / value - 1:+.1%}'))
        if not wanted:
            rows.append((pattern, 'none', f'{found[0]:.1f} IOPS', ''))
    for pattern in ('randread', 'randwrite'):
        measure(pattern)
        for value in (1000, 2000):
            measure(pattern, rw_ios_per_sec=value)
        measure(pattern, rw_mbytes_per_sec=5)
    measure('randread', r_mbytes_per_sec=4)
    measure('randwrite', w_mbytes_per_sec=6)
    rows += _changed_meanwhile(bench, unit, target)
    print('Limits, set by attach, and what spdk_nvme_perf was given')
    machine.table(('consumer', 'limit', 'seen', 'off by'), rows)


def _changed_meanwhile(bench, unit, target):
    """Operations counted by the target before and after a change."""
    name = 'rw_ios_per_sec'
    process = bench.perf(unit['nqn'], '-q', '32', '-w', 'randread', '-t',
                         str(4 * _SECONDS))
    rows = []
    for value in (1000, 3000):
        attach.attach(bench.conf, target, unit, _HOST, limits={
            **dict.fromkeys(qos.NAMES, 0), name: value})
        while not _counted(bench):
            pass
        begin = _counted(bench)
        while _counted(bench)[0] - begin[0] < value * _SECONDS:
            pass
        end = _counted(bench)
        seen = (end[0] - begin[0]) / (end[1] - begin[1])
        rows.append(('randread, meanwhile', f'{name} {value}', f'{seen:.1f}',
                     f'{seen / value - 1:+.1%}'))
    process.terminate()
    process.communicate()
    return rows


def _counted(bench):
    """Operations, and seconds on the target's clock; None before any."""
    found = bench.client.call('bdev_get_iostat', names=['M'])
    count = found['bdevs'][0]['num_read_ops']
    return (count, found['ticks'] / found['tick_rate']) if count else None


def main():
    """Run what was asked for."""
    if not target_fixture.SPDK_DIR:
        sys.exit('CYBORG_SPDK_TEST_SPDK_DIR has to name a built SPDK')
    print(machine.describe(), '\n')
    for work in (wipe, limits):
        if sys.argv[1:] and work.__name__ not in sys.argv[1:]:
            continue
        with target_fixture.Target('spdk_tgt') as spdk:
            work(Bench(spdk))


if __name__ == '__main__':
    main()
