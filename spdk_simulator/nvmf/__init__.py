# SPDX-License-Identifier: Apache-2.0

"""The NVMe-oF target; as lib/nvmf of SPDK."""
