# SPDX-License-Identifier: Apache-2.0

"""iSCSI: target nodes, their LUNs, and who may come in how."""
