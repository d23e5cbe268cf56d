# SPDX-License-Identifier: Apache-2.0

"""Zeroes over a unit between two consumers, and who has used it."""
