# SPDX-License-Identifier: Apache-2.0
"""Read facts about SPDK's RPC methods from its source."""
