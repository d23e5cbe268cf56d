# SPDX-License-Identifier: Apache-2.0

"""The Cyborg driver for NVMe-oF targets."""

from cyborg_spdk.drivers import driver as drivers_driver


class NvmfDriver(drivers_driver.SpdkDriver):
    """Every namespace of an NVM subsystem is an accelerator."""

    KIND = 'nvmf'
    NAME = 'spdk_nvmf_driver'
