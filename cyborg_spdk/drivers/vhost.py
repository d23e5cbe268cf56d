# SPDX-License-Identifier: Apache-2.0

"""The Cyborg driver for vhost targets."""

from cyborg_spdk.drivers import driver as drivers_driver


class VhostDriver(drivers_driver.SpdkDriver):
    """Every vhost-blk controller and vhost-scsi target is an accelerator."""

    KIND = 'vhost'
    NAME = 'spdk_vhost_driver'
