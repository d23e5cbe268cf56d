# SPDX-License-Identifier: Apache-2.0

"""The iSCSI target: portal and initiator groups, target nodes, LUNs."""
