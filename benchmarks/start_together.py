# SPDX-License-Identifier: Apache-2.0

"""How much faster several targets start together than one after the other.

    python benchmarks/start_together.py [--spdk-dir /opt/spdk] [--tries 5]

Both ways go through ``cyborg_spdk.tasks`` and the launcher, as the drivers
do: nvmf_tgt and vhost, each on a core of its own. Without ``--spdk-dir`` the
simulator is started. Huge pages are reserved before, and put back after:
reserving is not what is measured. Printed: the medians, and together as a
part of one after the other (the aim is 0.7 at most, where there are two
cores).
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.host.machine import hugepage_pools
from cyborg_spdk.host.machine import meminfo
from cyborg_spdk.host.target import lifecycle
from cyborg_spdk import tasks


def configuration(directory, spdk_dir):
    """Options of two targets with their files in a private directory."""
    conf = cfg.ConfigOpts()
    conf([])
    spdk_conf.register(conf)
    if spdk_dir is None:
        spdk_dir = os.path.join(directory, 'spdk')
        subprocess.run([sys.executable, '-m', 'spdk_simulator',
                        'install', spdk_dir], check=True,
                       stdout=subprocess.DEVNULL)
    for name, value in (('spdk_dir', spdk_dir), ('iscsi_targets', []),
                        ('run_path', os.path.join(directory, 'run')),
                        ('state_path', os.path.join(directory, 'state'))):
        conf.set_override(name, value, group='spdk')
    for target in spdk_conf.targets(conf):
        conf.set_override('save_config', False, group=target.name)
        conf.set_override('extra_args', ['--iova-mode=va'],
                          group=target.name)
    return conf


def start(conf, parallel):
    """Start all targets and stop them again.

    :returns: (seconds until all were ready, summary of the tasks).
    """
    runner = tasks.Tasks(parallel)
    targets = spdk_conf.targets(conf)
    began = time.perf_counter()
    for target in targets:
        runner.run(target.name, lifecycle.ensure, conf, target, force=True)
    runner.wait(*(target.name for target in targets))
    seconds = time.perf_counter() - began
    for target in targets:
        lifecycle.stop(conf, target, kill=True)
    return seconds, runner.summary()


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--spdk-dir')
    parser.add_argument('--tries', type=int, default=5)
    options = parser.parse_args()
    pages = os.path.join(hugepage_pools.pool_path(
        meminfo.default_size_kb() or 2048), 'nr_hugepages')
    before = None
    if options.spdk_dir:
        with open(pages) as stream:
            before = stream.read()
    with tempfile.TemporaryDirectory(dir='/tmp') as directory:
        conf = configuration(directory, options.spdk_dir)
        try:
            start(conf, True)  # Reserves pages, loads what is loaded once.
            times = {True: [], False: []}
            summary = None
            for _ in range(options.tries):
                for parallel in (False, True):
                    seconds, found = start(conf, parallel)
                    times[parallel].append(seconds)
                    summary = found if parallel else summary
        finally:
            if before is not None:
                with open(pages, 'w') as stream:
                    stream.write(before)
    together, serial = (statistics.median(times[way])
                        for way in (True, False))
    print(f'cores {os.cpu_count()}, tries {options.tries}')
    print(f'one after the other  {serial:.3f} s')
    print(f'together             {together:.3f} s')
    print(f'together / serial    {together / serial:.2f}')
    print(f'of the last: {summary}')


if __name__ == '__main__':
    main()
