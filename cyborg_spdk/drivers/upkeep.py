# SPDX-License-Identifier: Apache-2.0

"""What Cyborg may ask of a driver beside reports: checks, and clean units."""

import json
import logging
from typing import Any

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import exceptions
from cyborg_spdk.host.doctor import checks
from cyborg_spdk import loggers
from cyborg_spdk.units.wipe import marks
from cyborg_spdk.units.wipe import run as wipe_run

LOG = loggers.get(__name__)

_LEVELS = {checks.WARNING: logging.WARNING, checks.FAILURE: logging.ERROR}


def check_host(conf: cfg.ConfigOpts, kind: str) -> None:
    """Log what ``cyborg-spdk doctor`` finds. Never raises.

    :param kind: what concerns targets of other kinds is left out.
    """
    try:
        names = set(conf.spdk[f'{kind}_targets'])
        for found in checks.examine(conf):
            if found.level in _LEVELS and (
                    found.target is None or found.target in names):
                LOG.log(_LEVELS[found.level], '%s: %s; %s',
                        found.target or found.check, found.text,
                        found.remedy)
    except exceptions.SpdkError as exc:
        LOG.error('doctor: %s', exc)
    except Exception:
        LOG.exception('doctor')


def clean(conf: cfg.ConfigOpts, kind: str, device: Any) -> None:
    """Wipe the dirty units of a device that nobody uses. Never raises.

    What is allocated is left alone: the wipe asks Placement.

    :param device: Cyborg's ``Device``; its board info names the target.
    """
    try:
        name = json.loads(device.std_board_info)['target']
        if name not in conf.spdk[f'{kind}_targets']:
            raise exceptions.InvalidValue(
                'device', name, 'no target of this kind has that name')
        target = spdk_conf.target(conf, kind, name)
        dirty = [mark for mark in marks.load_all(conf)
                 if mark.target == name and not mark.in_use
                 and mark.state != marks.CLEAN]
    except (exceptions.SpdkError, ValueError, TypeError, KeyError,
            AttributeError) as exc:
        LOG.error('cleanup: %s', exc)
        return
    for mark in dirty:
        try:
            done = wipe_run.wipe(conf, target, mark.handle,
                                 certain=True)
        except exceptions.SpdkError as exc:
            LOG.error('%s: %s is not clean: %s', name, mark.handle, exc)
        else:
            LOG.info('%s: %s is clean: %s', name, mark.handle, done)
