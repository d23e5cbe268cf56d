# SPDX-License-Identifier: Apache-2.0

"""/metrics: what targets, units and the service do, as OpenMetrics.

A scrape goes through these modules, from the bottom: ``reading`` asks one
target over a connection of its own; ``cache`` keeps what it said for some
seconds and lets no scrape wait for a target that hangs; ``of_targets``,
``of_units`` and ``of_service`` make metrics of it; ``exposition`` is the WSGI
application. prometheus_client writes the text, and escapes what came from
SPDK.
"""
