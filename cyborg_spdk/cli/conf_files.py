# SPDX-License-Identifier: Apache-2.0

"""How the command finds its configuration: that of the Cyborg agent."""

from collections.abc import Iterable
import importlib
import os

from oslo_config import cfg

from cyborg_spdk import conf as spdk_conf
from cyborg_spdk import enabled
from cyborg_spdk import exceptions

#: Read where they exist and no file is named on the command line. The
#: agent's own file comes first: what it does is what the operator asks for.
DEFAULT_FILES = ('/etc/cyborg/cyborg.conf',
                 '/etc/cyborg_spdk/cyborg_spdk.conf')


def load(conf: cfg.ConfigOpts, files: Iterable[str], dirs: Iterable[str],
         settings: Iterable[str]) -> list[str]:
    """Read the configuration files, then the settings of the command line.

    :param conf: the ``oslo_config.cfg.ConfigOpts`` to fill.
    :param files: paths of files; empty means those of
        :data:`DEFAULT_FILES` that exist.
    :param dirs: paths of directories of ``*.conf`` files.
    :param settings: list of ``GROUP.OPTION=VALUE``; they win over files.
    :returns: list of str: warnings, one line each.
    :raises ConfigurationError: for a file, a name or a value that cannot
        be used.
    """
    defaults = [name for name in DEFAULT_FILES if os.access(name, os.R_OK)]
    named = [word for name in files for word in ('--config-file', name)]
    named += [word for name in dirs for word in ('--config-dir', name)]
    try:
        conf(named, project='cyborg', prog='cyborg-spdk',
             default_config_files=defaults, default_config_dirs=[])
    except (cfg.ConfigFilesNotFoundError,
            cfg.ConfigFilesPermissionDeniedError) as exc:
        raise exceptions.ConfigurationError(
            '--config-file', ', '.join(exc.config_files),
            'name a file that exists and can be read') from None
    except cfg.ConfigDirNotFoundError as exc:
        raise exceptions.ConfigurationError(
            '--config-dir', exc.config_dir,
            'name a directory that exists') from None
    except cfg.ConfigFileParseError as exc:
        raise exceptions.ConfigurationError(
            '--config-file', exc.config_file,
            ' '.join(str(exc.msg).split())) from None
    spdk_conf.register(conf)
    for setting in sorted(settings, key=_targets_last):
        _override(conf, setting)
    spdk_conf.targets(conf)
    return [*spdk_conf.unknown_options(conf), *enabled.find(conf).problems]


def _targets_last(setting: str) -> bool:
    # The names of further targets have to be known before their options.
    return not setting.startswith(spdk_conf.GROUP + '.')


def _override(conf: cfg.ConfigOpts, setting: str) -> None:
    name, equals, value = setting.partition('=')
    group, dot, option = name.partition('.')
    if group == 'agent':
        # Its options are Cyborg's.
        try:
            importlib.import_module('cyborg.conf')
        except ModuleNotFoundError:
            enabled.register(conf)
    if not (equals and dot):
        raise exceptions.ConfigurationError(
            '--set', setting,
            'write GROUP.OPTION=VALUE, for example spdk.rpc_timeout=5')
    if group != spdk_conf.GROUP:
        spdk_conf.targets(conf)
    try:
        conf.set_override(option, value, group=group)
    except cfg.NoSuchGroupError:
        raise exceptions.ConfigurationError(
            '--set', setting, f'there is no group [{group}]') from None
    except cfg.NoSuchOptError:
        raise exceptions.ConfigurationError(
            '--set', setting,
            f'group [{group}] has no option {option}') from None
    except ValueError as exc:
        raise exceptions.ConfigurationError(
            '--set', setting, str(exc)) from None
