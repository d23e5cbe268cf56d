# SPDX-License-Identifier: Apache-2.0

"""SPDK targets as accelerators of OpenStack Cyborg."""
