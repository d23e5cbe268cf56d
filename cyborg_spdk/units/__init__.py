# SPDX-License-Identifier: Apache-2.0

"""What a target has to give away; knows nothing of Cyborg."""
