# SPDX-License-Identifier: Apache-2.0

"""An SPDK target in Python: embedded default and test double.

A program of its own: it imports nothing else of this project, and nothing
of the project imports it. ``python -m spdk_simulator nvmf_tgt -r
SOCKET`` behaves, on its RPC socket and as a process, as the SPDK program
of that name does; ``install DIRECTORY`` lays out what looks like an SPDK
installation. Its answers are computed from state and rules, never replayed.
"""
