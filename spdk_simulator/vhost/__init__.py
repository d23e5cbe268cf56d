# SPDX-License-Identifier: Apache-2.0

"""vhost-user controllers; as lib/vhost of SPDK."""
