# SPDX-License-Identifier: Apache-2.0

"""``python -m benchmarks``: everything on the simulator and, with
``CYBORG_SPDK_TEST_SPDK_DIR`` set, on a real nvmf_tgt."""

import os
import shutil
import subprocess
import sys
import tempfile
import time

from benchmarks import rpc as rpc_benchmarks
from cyborg_spdk import exceptions
from cyborg_spdk import rpc


def _measure(name, command):
    directory = tempfile.mkdtemp(prefix='bench-')
    path = os.path.join(directory, 'rpc.sock')
    with open(os.path.join(directory, 'log'), 'wb') as log:
        process = subprocess.Popen([*command, '-r', path], cwd=directory,
                                   stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                rpc.connect(path).call('spdk_get_version', _timeout=60)
                break
            except exceptions.SpdkError:
                if process.poll() is not None or \
                        time.monotonic() > deadline:
                    raise
            time.sleep(0.05)
        rpc_benchmarks.run(name, path)
    finally:
        rpc.disconnect(path)
        process.terminate()
        process.wait()
        shutil.rmtree(directory)


def main():
    which = sys.argv[1:] or ['simulated', 'real']
    if 'simulated' in which:
        _measure('Simulated nvmf_tgt', [
            sys.executable, '-m', 'spdk_simulator', 'nvmf_tgt'])
    directory = os.environ.get('CYBORG_SPDK_TEST_SPDK_DIR')
    if directory and 'real' in which:
        # 10,000 bdevs have to fit.
        _measure('Real nvmf_tgt', [
            os.path.join(directory, 'build', 'bin', 'nvmf_tgt'),
            '-m', '0x1', '--no-huge', '-s', '1024', '--iova-mode=va'])


if __name__ == '__main__':
    main()
