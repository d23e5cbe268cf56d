# SPDX-License-Identifier: Apache-2.0

"""RAID bdevs; as module/bdev/raid of SPDK."""
