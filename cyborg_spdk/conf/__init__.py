# SPDX-License-Identifier: Apache-2.0

"""Every option, in one place, and the targets that they describe.

The group ``[spdk]`` is for the host; each target has a group of its own:
``[spdk_nvmf]``, ``[spdk_vhost]``, ``[spdk_iscsi]`` and those that the
operator adds by naming them in ``[spdk] nvmf_targets`` and its like.
"""

from cyborg_spdk.conf.options import APPLICATIONS
from cyborg_spdk.conf.options import Argument
from cyborg_spdk.conf.options import GROUP
from cyborg_spdk.conf.options import KINDS
from cyborg_spdk.conf.options import list_opts
from cyborg_spdk.conf.options import MEMORY_MB
from cyborg_spdk.conf.options import register
from cyborg_spdk.conf.options import SPDK_OPTS
from cyborg_spdk.conf.options import target_opts
from cyborg_spdk.conf.target_groups import Target
from cyborg_spdk.conf.target_groups import target
from cyborg_spdk.conf.target_groups import targets
from cyborg_spdk.conf.values import check
from cyborg_spdk.conf.values import unknown_options
from cyborg_spdk.conf.values import value

__all__ = [
    'Target', 'targets', 'target', 'check', 'value', 'unknown_options',
    'register', 'list_opts', 'target_opts', 'SPDK_OPTS', 'Argument', 'GROUP',
    'KINDS', 'APPLICATIONS', 'MEMORY_MB',
]
