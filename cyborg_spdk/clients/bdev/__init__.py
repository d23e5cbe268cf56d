# SPDX-License-Identifier: Apache-2.0

"""Block devices: what every SPDK application has."""
