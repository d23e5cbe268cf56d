# SPDX-License-Identifier: Apache-2.0

"""The program: command line, configuration file, signals, exit status."""
