# SPDX-License-Identifier: Apache-2.0

"""The iSCSI target; as lib/iscsi of SPDK."""
