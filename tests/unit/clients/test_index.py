# SPDX-License-Identifier: Apache-2.0

"""The classes of the clients: an index of functions, and no more."""

import inspect
import unittest

from cyborg_spdk import clients
from cyborg_spdk.clients import base
from cyborg_spdk import rpc

#: What the classes define themselves.
OWN = {'with_timeout'}

CLASSES = (clients.BdevClient, clients.NvmfTgt, clients.VhostTgt,
           clients.IscsiTgt)


def operations(cls):
    """Public functions of a client: name to function."""
    return {name: function
            for name, function in inspect.getmembers(cls, inspect.isfunction)
            if not name.startswith('_') and name not in OWN}


class IndexTests(unittest.TestCase):

    def test_no_towers(self):
        for cls in CLASSES:
            self.assertLessEqual(
                set(cls.__mro__),
                {cls, clients.BdevClient, base.Client, object})
            self.assertIs(base.call, cls._call)

    def test_functions_of_a_client(self):
        for cls in CLASSES:
            for name, function in operations(cls).items():
                with self.subTest(f'{cls.__name__}.{name}'):
                    self.assertNotIn('.', function.__qualname__)
                    parameters = inspect.signature(function).parameters
                    self.assertEqual('client', next(iter(parameters)))
                    self.assertEqual(
                        {*parameters, 'return'},
                        set(inspect.get_annotations(function)))
                    self.assertTrue(function.__doc__)

    def test_repr_names_the_target(self):
        client = rpc.Client('/run/spdk/nvmf.sock')
        for cls in CLASSES:
            self.assertEqual(
                f'<clients.{cls.__name__} {client.address}>',
                repr(cls(client)))
        self.assertEqual(
            f'<clients.NvmfTgt {client.address} second>',
            repr(clients.NvmfTgt(client).for_target('second')))
