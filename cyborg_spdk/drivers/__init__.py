# SPDX-License-Identifier: Apache-2.0

"""The Cyborg drivers, and the inventory that they report."""
