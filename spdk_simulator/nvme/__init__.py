# SPDX-License-Identifier: Apache-2.0

"""NVMe controllers as initiator; as module/bdev/nvme of SPDK."""
