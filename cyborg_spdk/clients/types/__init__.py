# SPDX-License-Identifier: Apache-2.0

"""What SPDK reports, as documented frozen dataclasses.

The fields have SPDK's own names. A field that a release lacks has its
default, and one that a release adds is only in ``raw``: reading never
fails because of the release. ``raw`` is the object as it came.
"""

from cyborg_spdk.clients.types.bdevs import Bdev
from cyborg_spdk.clients.types.bdevs import Key
from cyborg_spdk.clients.types.bdevs import Lvol
from cyborg_spdk.clients.types.bdevs import LvolStore
from cyborg_spdk.clients.types.bdevs import Raid
from cyborg_spdk.clients.types.bdevs import ShallowCopy
from cyborg_spdk.clients.types.bdevs import Version
from cyborg_spdk.clients.types.iscsi import AuthGroup
from cyborg_spdk.clients.types.iscsi import GroupMap
from cyborg_spdk.clients.types.iscsi import InitiatorGroup
from cyborg_spdk.clients.types.iscsi import IscsiConnection
from cyborg_spdk.clients.types.iscsi import IscsiLun
from cyborg_spdk.clients.types.iscsi import Portal
from cyborg_spdk.clients.types.iscsi import PortalGroup
from cyborg_spdk.clients.types.iscsi import TargetNode
from cyborg_spdk.clients.types.nvmf import AnaState
from cyborg_spdk.clients.types.nvmf import Controller
from cyborg_spdk.clients.types.nvmf import ListenAddress
from cyborg_spdk.clients.types.nvmf import Listener
from cyborg_spdk.clients.types.nvmf import Namespace
from cyborg_spdk.clients.types.nvmf import NvmeController
from cyborg_spdk.clients.types.nvmf import NvmePath
from cyborg_spdk.clients.types.nvmf import QueuePair
from cyborg_spdk.clients.types.nvmf import Referral
from cyborg_spdk.clients.types.nvmf import Subsystem
from cyborg_spdk.clients.types.nvmf import Transport
from cyborg_spdk.clients.types.reported import Reported
from cyborg_spdk.clients.types.vhost import ScsiDevice
from cyborg_spdk.clients.types.vhost import ScsiLun
from cyborg_spdk.clients.types.vhost import ScsiTarget
from cyborg_spdk.clients.types.vhost import VhostController

__all__ = ['Bdev', 'LvolStore', 'Lvol', 'ShallowCopy', 'Raid', 'Key',
           'Subsystem', 'Namespace', 'ListenAddress', 'Listener', 'AnaState',
           'Transport', 'Controller', 'QueuePair', 'Referral',
           'NvmeController', 'NvmePath', 'VhostController', 'ScsiTarget',
           'ScsiLun', 'ScsiDevice', 'TargetNode', 'IscsiLun', 'GroupMap',
           'PortalGroup', 'Portal', 'InitiatorGroup', 'AuthGroup',
           'IscsiConnection', 'Version', 'Reported']
