# SPDX-License-Identifier: Apache-2.0

"""Facts about releases of SPDK; ``tools/spdk_facts.py`` writes them."""
