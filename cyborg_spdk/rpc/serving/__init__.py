# SPDX-License-Identifier: Apache-2.0

"""Calls of any number of threads over one connection."""
