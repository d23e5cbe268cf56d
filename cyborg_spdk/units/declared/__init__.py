# SPDX-License-Identifier: Apache-2.0

"""What ``units.yaml`` declares: read, validated, as plain data.

``document``
    the file: YAML with its lines, and the schema.
``model``
    what it says: pools and units.
"""
