# SPDX-License-Identifier: Apache-2.0

"""What one target is made of: its modules, options, state."""
