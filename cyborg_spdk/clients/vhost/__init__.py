# SPDX-License-Identifier: Apache-2.0

"""vhost-user controllers: block and SCSI devices for virtual machines."""
