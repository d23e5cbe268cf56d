# SPDX-License-Identifier: Apache-2.0

"""The RPC layer beside other clients, on one target in one run."""

import json
import shlex
import statistics
import subprocess
import sys
import time

from benchmarks import machine
from benchmarks import rivals
from cyborg_spdk import rpc

_CALLS = 10000
_BDEVS = 10000


def _timed(function, *args):
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def _alternate(rounds, block=1, **functions):
    """Median seconds of each, measured in turns so that all see the same.

    :param block: how often each runs in its turn. A call right behind one
        on another connection finds the target at another point of its
        look at all connections than one behind a call on the same.
    :returns: dict of name to seconds.
    """
    times = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            times[name] += [_timed(function) for _ in range(block)]
    return {name: statistics.median(some) for name, some in times.items()}


def _ms(seconds):
    return f'{seconds * 1000:.3f}' if seconds < 0.1 else \
        f'{seconds * 1000:.0f}'


def _verdict(ratio, limit):
    reached = round(ratio, 2) <= limit
    return f'{ratio:.2f} ({"reached" if reached else "missed"}: ' \
        f'at most {limit:g})'


def run(name, path):
    """Measure everything on one target and print it.

    :param name: what the target is.
    :param path: its RPC socket; it must have no bdevs.
    """
    print(f'{name}; {machine.describe()}\n')
    client = rpc.connect(path)
    client.call('spdk_get_version')
    raw = rivals.Raw(path)
    kept = rivals.spdk_kept_open(path)
    single = _one_call(path, client, raw, kept)
    _pipelined(client, raw, single['JSONRPCClient, kept open'])
    _nine(path)
    _large(path, client, raw, kept)
    rpc.disconnect(path)
    raw.sock.close()


def _one_call(path, client, raw, kept):
    connecting = rivals.spdk_connecting(path)
    method = 'spdk_get_version'
    in_process = _alternate(8, 40, **{
        'raw socket': raw.call,
        'cyborg_spdk.rpc': lambda: client.call(method),
        'JSONRPCClient, kept open': lambda: kept(method),
        'JSONRPCClient, connecting each time': lambda: connecting(method)})
    theirs = rivals.Server(rivals.rpc_py('--server'))
    ours = rivals.Server(rivals.ours('--server'))
    beside = rivals.Server(rivals.ours('--server', '--share-core'))
    line = f'-s {shlex.quote(path)} {method}'
    servers = _alternate(5, 20, **{
        'rpc.py --server': lambda: theirs.run(line),
        'cyborg-spdk rpc --server': lambda: ours.run(line),
        'cyborg-spdk rpc --server --share-core': lambda: beside.run(line)})
    for server in (theirs, ours, beside):
        server.close()
    processes = _alternate(9, **{
        'rpc.py, a process each time':
            lambda: rivals.run(rivals.rpc_py('-s', path, method)),
        'cyborg-spdk rpc, a process each time':
            lambda: rivals.run(rivals.ours('-s', path, method))})
    times = {**in_process, **servers, **processes}
    machine.table(['one call at a time', 'ms per call'],
                  [[name, _ms(time)] for name, time in times.items()])
    print('cyborg_spdk.rpc / raw socket: ' + _verdict(
        times['cyborg_spdk.rpc'] / times['raw socket'], 1.05))
    print('our server / rpc.py --server: ' + _verdict(
        times['cyborg-spdk rpc --server'] / times['rpc.py --server'], 1.05))
    print('the same with --share-core: ' + _verdict(
        times['cyborg-spdk rpc --server --share-core']
        / times['rpc.py --server'], 0.5))
    print('our process / rpc.py: ' + _verdict(
        times['cyborg-spdk rpc, a process each time']
        / times['rpc.py, a process each time'], 0.5) + '\n', flush=True)
    return times


def _pipelined(client, raw, sequential):
    requests = [rpc.Request('spdk_get_version')] * _CALLS

    def submit():
        futures = [client.submit('spdk_get_version') for _ in range(_CALLS)]
        for future in futures:
            future.result()
    times = _alternate(9, **{
        'raw socket, every reply parsed': lambda: raw.pipelined(_CALLS),
        'cyborg_spdk.rpc, call_many':
            lambda: client.call_many(requests, raise_errors=True),
        'cyborg_spdk.rpc, submit': submit})
    rates = {name: _CALLS / time for name, time in times.items()}
    rates['JSONRPCClient, kept open, one by one'] = 1 / sequential
    machine.table([f'{_CALLS:,} calls in flight', 'calls per second'],
                  [[name, f'{rate:,.0f}'] for name, rate in rates.items()])
    best = rates['cyborg_spdk.rpc, call_many']
    share = best / rates['raw socket, every reply parsed']
    print(f'call_many / raw socket: {share:.2f} '
          f'({"reached" if share >= 0.8 else "missed"}: at least 0.8)')
    times_faster = best * sequential
    print(f'call_many / JSONRPCClient: {times_faster:.0f} '
          f'({"reached" if times_faster >= 100 else "missed"}: at least '
          '100)\n', flush=True)


def _nine(path):
    options = ['-s', path]

    def process(line):
        return subprocess.run(
            rivals.rpc_py(*options, *line.split()), check=True,
            stdout=subprocess.PIPE, text=True).stdout
    theirs = rivals.Server(rivals.rpc_py('--server'))
    ours = rivals.Server(rivals.ours('--server'))
    beside = rivals.Server(rivals.ours('--server', '--share-core'))
    prefix = f'-s {shlex.quote(path)} '
    times = _alternate(5, **{
        'rpc.py, a process each time': lambda: rivals.nine_calls(process),
        'rpc.py --server': lambda: rivals.nine_calls(
            lambda line: theirs.run(prefix + line)),
        'cyborg-spdk rpc --server': lambda: rivals.nine_calls(
            lambda line: ours.run(prefix + line)),
        'cyborg-spdk rpc --server --share-core': lambda: rivals.nine_calls(
            lambda line: beside.run(prefix + line))})
    for server in (theirs, ours, beside):
        server.close()
    machine.table(['the nine calls of rpc_integrity', 'ms'],
                  [[name, _ms(time)] for name, time in times.items()])
    ratio = times['cyborg-spdk rpc --server'] / times['rpc.py --server']
    print(f'our server / rpc.py --server: {ratio:.2f}\n', flush=True)


def _large(path, client, raw, kept):
    def create(first, last):
        client.call_many([rpc.Request('bdev_null_create', {
            'name': f'Null{n:05}', 'num_blocks': 2048, 'block_size': 512},
            600) for n in range(first, last)], raise_errors=True)

    def ours():
        return client.call('bdev_get_bdevs', _timeout=600)
    create(0, 1000)
    small = _alternate(3, **{
        'raw socket and json.loads': raw.get_bdevs,
        'cyborg_spdk.rpc': ours,
        'JSONRPCClient, kept open': lambda: kept('bdev_get_bdevs')})
    create(1000, _BDEVS)
    large = _alternate(7, **{'raw socket and json.loads': raw.get_bdevs,
                             'cyborg_spdk.rpc': ours})
    rows = [[name, _ms(time), _ms(large[name]) if name in large else '']
            for name, time in small.items()]
    machine.table(['bdev_get_bdevs', '1,000 bdevs, ms',
                   f'{_BDEVS:,} bdevs, ms'], rows)
    print('cyborg_spdk.rpc / raw socket: ' + _verdict(
        large['cyborg_spdk.rpc'] / large['raw socket and json.loads'], 1.0))
    for which in ('raw', 'ours'):
        figures = json.loads(subprocess.run(
            [sys.executable, '-m', 'benchmarks.memory', path, which],
            check=True, stdout=subprocess.PIPE).stdout)
        extra = (figures['peak'] - figures['result']) / figures['reply']
        print(f'memory, {which}: reply {figures["reply"] / 1e6:.1f} MB, '
              f'its objects {figures["result"] / 1e6:.1f} MB, beside them '
              f'at the peak {extra:.2f} times the reply'
              + (f' ({"reached" if extra <= 2 else "missed"}: at most 2)'
                 if which == 'ours' else ''))
    print(flush=True)
