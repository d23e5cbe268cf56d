# SPDX-License-Identifier: Apache-2.0

"""The methods of no one module of SPDK, and how all methods are found.

A module registers its methods when it is imported (see
:mod:`spdk_simulator.jsonrpc.registry`).
"""

import importlib
import pkgutil

#: Modules, or folders of them, that register methods.
_PARTS = ('app.rpc', 'bdev', 'iscsi', 'lvol', 'methods', 'net', 'nvme',
          'nvmf', 'raid', 'vhost')


def load():
    """Import every module that registers methods."""
    for part in _PARTS:
        package = importlib.import_module(f'spdk_simulator.{part}')
        for module in pkgutil.iter_modules(getattr(package, '__path__', ())):
            importlib.import_module(f'{package.__name__}.{module.name}')
