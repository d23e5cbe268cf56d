# SPDX-License-Identifier: Apache-2.0

"""What goes on for long; a short form of each runs with the other tests."""
