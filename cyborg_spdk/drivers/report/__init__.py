# SPDX-License-Identifier: Apache-2.0

"""What Cyborg and Placement are told of the units of a target.

``reporter`` leads: ``entries`` gives units the names that Placement knows,
``placement_view`` asks Placement once, ``confirmation`` and ``losses`` say
what it lacks of the last report (``memory``, ``last_reports``,
``reported_targets``), ``pace`` how many units may come, ``plan`` decides,
``quiet`` says whether anything is new, and ``inventory`` makes Cyborg's
objects. ``former_targets`` are those without a driver.
"""
