# SPDX-License-Identifier: Apache-2.0

"""The Cyborg driver for iSCSI targets."""

from cyborg_spdk.drivers import driver as drivers_driver


class IscsiDriver(drivers_driver.SpdkDriver):
    """Every LUN of an iSCSI target node is an accelerator."""

    KIND = 'iscsi'
    NAME = 'spdk_iscsi_driver'
