# SPDX-License-Identifier: Apache-2.0

"""Block devices; as lib/bdev and module/bdev of SPDK."""
