# SPDX-License-Identifier: Apache-2.0

"""Logical volumes and their stores; as lib/lvol of SPDK."""
