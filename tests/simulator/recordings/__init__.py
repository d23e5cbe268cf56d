# SPDX-License-Identifier: Apache-2.0

"""Traffic recorded from real SPDK targets, and how to play it again."""
