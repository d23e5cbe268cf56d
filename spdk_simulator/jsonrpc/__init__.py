# SPDX-License-Identifier: Apache-2.0

"""The RPC socket and what it takes; as lib/jsonrpc and lib/rpc of SPDK."""
