# SPDX-License-Identifier: Apache-2.0

"""Pools and their units, made as they are declared.

``disks``
    what is on a file or a disk before it is taken.
``stores``
    which stores were made here, with zeroes.
``observe``
    what a target has of a pool.
``plan``
    what is to be done, and what stands in the way.
``apply``
    doing it.
"""
