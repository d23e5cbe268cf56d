# SPDX-License-Identifier: Apache-2.0

"""What SPDK applications can do, in Python.

::

    from cyborg_spdk import clients, rpc

    tgt = clients.NvmfTgt(rpc.connect('/var/tmp/spdk.sock'))
    tgt.bdev_malloc_create('Malloc0', '64MiB', 512, exist_ok=True)
    tgt.nvmf_create_transport('TCP', exist_ok=True)
    tgt.construct_nvmf_subsystem(
        'nqn.2016-06.io.spdk:cnode1', ['tcp://127.0.0.1:4420'], None,
        'SPDK00000000000001', ['Malloc0'], allow_any_host=True)

The methods have the names of SPDK's current RPCs, and beside them those of
py-spdk; they work against SPDK from v18.01 on. Creates return names; with
``exist_ok`` they accept what exists with the same properties. Deletes
return True, or with ``missing_ok`` False for what was not there. What is
wrong is told by an error of :mod:`cyborg_spdk.exceptions` that names the
operation, the object and the cause.
"""

from cyborg_spdk.clients.bdev_client import BdevClient
from cyborg_spdk.clients.iscsi_tgt import IscsiTgt
from cyborg_spdk.clients.nvmf_tgt import NvmfTgt
from cyborg_spdk.clients.vhost_tgt import VhostTgt

__all__ = ['NvmfTgt', 'VhostTgt', 'IscsiTgt', 'BdevClient']
