# SPDX-License-Identifier: Apache-2.0

"""What Cyborg and Placement are told of the units of a target."""
