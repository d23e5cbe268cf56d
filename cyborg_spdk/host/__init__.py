# SPDX-License-Identifier: Apache-2.0

"""SPDK on this machine: find it, prepare it, start it, keep it."""
