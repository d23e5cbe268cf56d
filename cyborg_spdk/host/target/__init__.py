# SPDX-License-Identifier: Apache-2.0

"""The life of one target: start, readiness, restarts, log, stop."""
