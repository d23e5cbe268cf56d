# SPDX-License-Identifier: Apache-2.0
"""Services as processes, as they are deployed, and the real Cyborg agent.

What one process cannot show: the agent that makes its drivers in one process
and reports from a fork of it, a user who is root only through sudo and the
privileged helper, and services that go away and come back.
"""
