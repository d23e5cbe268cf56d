# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk rpc``: one method of a target, or rpc.py --server."""
