# SPDX-License-Identifier: Apache-2.0
"""What a release of Nova makes of our attach handles."""
