# SPDX-License-Identifier: Apache-2.0

"""Network interfaces; as lib/net of SPDK."""
