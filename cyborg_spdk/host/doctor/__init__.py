# SPDX-License-Identifier: Apache-2.0

"""What keeps SPDK from running on this host, and the remedy."""
