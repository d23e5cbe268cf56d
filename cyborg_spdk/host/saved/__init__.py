# SPDX-License-Identifier: Apache-2.0

"""What a target had when it was last seen, given back at its next start."""
