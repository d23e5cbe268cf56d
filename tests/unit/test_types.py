# SPDX-License-Identifier: Apache-2.0

"""What a user's editor sees: programs are checked against our types."""

import os
import re
import subprocess
import sys
import textwrap
import unittest

import cyborg_spdk

_ROOT = os.path.dirname(os.path.dirname(cyborg_spdk.__file__))

_RIGHT = '''
    import concurrent.futures

    from cyborg_spdk import clients
    from cyborg_spdk.clients import types
    from cyborg_spdk.drivers import nvmf
    from cyborg_spdk import exceptions
    from cyborg_spdk import rpc

    with rpc.connect('/run/x.sock', timeout=5.0) as client:
        names: list[str] = [bdev['name'] for bdev in client.call(
            'bdev_get_bdevs', _timeout=2.5)]
        future: concurrent.futures.Future[object] = client.submit('m', a=1)
        version: rpc.Version | None = client.version
        if version is not None and version >= (24, 1):
            year: int = version.major
        served: frozenset[str] = client.methods
        peer: tuple[int, int, int] | None = client.peer()
        try:
            results: list[object] = client.call_many(
                [rpc.Request('a'), rpc.Request('b', {'x': 1}, 5.0)])
        except exceptions.RpcError as exc:
            code: int = exc.code
            detail: str | None = exc.detail
        except exceptions.RpcTimeout as exc:
            timeout: float = exc.timeout

    target = clients.NvmfTgt(client)
    bdevs: list[types.Bdev] = target.bdev_get_bdevs()
    spaces: tuple[types.Namespace, ...] = \\
        target.nvmf_get_subsystems()[0].namespaces
    name: str = target.bdev_malloc_create('M0', '64MiB', 512, exist_ok=True)
    nsid: int = target.for_target('second').with_timeout(60).\\
        nvmf_subsystem_add_ns('nqn.2016-06.io.spdk:a', name)
    luns: tuple[types.IscsiLun, ...] = clients.IscsiTgt(
        client).iscsi_get_target_nodes()[0].luns
    controller: types.VhostController | None = clients.VhostTgt(
        client).find_controller('vm1.0')
    nvmf.NvmfDriver().discover()
'''

# Each line is wrong, and nothing else.
_WRONG = '''
    from cyborg_spdk import clients
    from cyborg_spdk import rpc

    rpc.connect(5)
    client = rpc.connect('/run/x.sock')
    client.call(5)
    client.call('m', _timeout='soon')
    client.calls('m')
    rpc.Version.parse(24.1)
    client.address.host
    client.has()
    clients.NvmfTgt('/run/x.sock')
    clients.BdevClient(client).bdev_malloc_create('M0', '64MiB')
    clients.NvmfTgt(client).nvmf_delete_subsystem(5)
    clients.NvmfTgt(client).nvmf_delete_subsystem('a', missing_okay=True)
    clients.VhostTgt(client).nvmf_get_subsystems()
    clients.IscsiTgt(client).iscsi_get_target_nodes()[0].lunes
'''


class TypesTest(unittest.TestCase):

    def check(self, program):
        """Lines of a program, and what mypy says of them."""
        done = subprocess.run(
            [sys.executable, '-m', 'mypy', '--strict',
             '--allow-untyped-calls', '--config-file',
             os.path.join(_ROOT, 'pyproject.toml'), '--command',
             textwrap.dedent(program)], cwd=_ROOT, text=True,
            capture_output=True)
        return {int(line) for line in re.findall(
            r'^<string>:(\d+): error', done.stdout, re.M)}, done.stdout \
            + done.stderr

    def test_a_program_of_a_user(self):
        lines, said = self.check(_RIGHT)
        self.assertEqual(set(), lines, said)
        self.assertIn('Success', said)

    def test_mistakes_are_seen(self):
        lines, said = self.check(_WRONG)
        wrong = {number for number, line in enumerate(
            textwrap.dedent(_WRONG).split('\n'), 1)
            if line and 'import' not in line
            and not line.startswith('client = ')}
        self.assertEqual(wrong, lines, said)

    def test_the_package_says_that_it_has_types(self):
        self.assertTrue(os.path.exists(os.path.join(
            os.path.dirname(cyborg_spdk.__file__), 'py.typed')))
