# SPDX-License-Identifier: Apache-2.0

"""JSON-RPC as SPDK speaks it, without any input or output."""
