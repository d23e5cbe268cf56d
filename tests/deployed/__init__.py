# SPDX-License-Identifier: Apache-2.0
"""The whole way, as users and services go it: from a client to a server.

Keystone with its roles and everybody's default policies, Placement, Cyborg's
API, conductor and agent, Nova with its fake driver, each a process of its
own, asked by ``openstack``.
"""
