# SPDX-License-Identifier: Apache-2.0

"""Random calls, made to a real target and to the simulator side by side."""
