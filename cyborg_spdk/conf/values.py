# SPDX-License-Identifier: Apache-2.0

"""The values of options, each read where a bad one can be told.

oslo.config passes over names that are no options, and its errors do not
always tell which file to correct.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
import difflib
import re
from typing import Any

from oslo_config import cfg
from oslo_config import types

from cyborg_spdk.conf import options
from cyborg_spdk import exceptions

#: Groups of ours that are none of a target: that of the host service.
_OTHER_GROUPS = ('spdk_service',)


def check(conf: cfg.ConfigOpts) -> None:
    """Read the options of the host, to be told of a bad value here.

    :param conf: an ``oslo_config.cfg.ConfigOpts``.
    :raises ConfigurationError: for a value that cannot be used.
    """
    options.register(conf)
    for opt in options.SPDK_OPTS:
        value(conf, options.GROUP, opt)


def value(conf: cfg.ConfigOpts, group: str, opt: cfg.Opt) -> Any:
    """The value of one option.

    :param conf: an ``oslo_config.cfg.ConfigOpts`` that has it.
    :param group: name of its group.
    :param opt: the ``oslo_config.cfg.Opt``.
    :raises ConfigurationError: if what is set cannot be used.
    """
    try:
        return conf[group][opt.name]
    except (cfg.TemplateSubstitutionError, cfg.NoSuchOptError,
            cfg.NoSuchGroupError) as exc:
        # "$x" stands for the value of an option x.
        raise exceptions.ConfigurationError(
            f'[{group}] {opt.name}', _raw_value(conf, group, opt),
            f'{exc}; write $$ for a dollar sign') from None
    except ValueError as exc:
        # oslo.config: "Value for option X from LocationInfo(...) is not
        # valid: REASON"; the file and the reason are what an operator needs.
        reason = str(exc).partition(' is not valid: ')[2] or str(exc)
        where = re.search(r"detail='([^']*)'", str(exc))
        raw = _raw_value(conf, group, opt)
        raise exceptions.ConfigurationError(
            f'[{group}] {opt.name}', raw,
            f'{reason}; correct it'
            + (f' in {where.group(1)}' if where else '')) from None


def arguments(conf: cfg.ConfigOpts, group: str,
               opt: cfg.Opt) -> tuple[str, ...]:
    """The extra arguments, as they stand in the file.

    oslo.config takes off the quotes around a whole value, and with them
    those of a list's first and last elements.
    """
    path, text = _line(conf, group, opt.name)
    if not text or text[0] not in '"\'' or text[0] != text[-1]:
        return tuple(value(conf, group, opt))
    try:
        return tuple(types.List(item_type=options.Argument())(text))
    except ValueError as exc:
        raise exceptions.ConfigurationError(
            f'[{group}] {opt.name}', text,
            f'{exc}; correct it in {path}') from None


def _line(conf: cfg.ConfigOpts, group: str,
          name: str) -> tuple[str | None, str | None]:
    """The file that says the value of an option, and its line there."""
    try:
        location = conf.get_location(name, group)
        if location is None or location.location != cfg.Locations.user:
            return None, None
    except ValueError:
        pass  # It is in a file, and cannot be used.
    for path in reversed(conf.config_file or []):
        found, section = None, ''
        with open(path) as stream:
            for line in stream:
                head = re.match(r'\[(.*)\]\s*$', line)
                section = head[1] if head else section
                match = re.match(r'(\w+)\s*[=:]\s*(.*?)\s*$', line)
                if match and (section, match[1]) == (group, name):
                    found = match[2]
        if found is not None:
            return path, found
    return None, None


def _raw_value(conf: cfg.ConfigOpts, group: str, opt: cfg.Opt) -> Any:
    for _name, sections in _parsed(conf.config_file or []):
        values = sections.get(group, {}).get(opt.name)
        if values:
            return values[-1]
    return None


def _parsed(files: Sequence[str]
            ) -> Iterator[tuple[str, dict[str, dict[str, list[str]]]]]:
    for name in reversed(files):
        sections: dict[str, dict[str, list[str]]] = {}
        cfg.ConfigParser(name, sections).parse()
        yield name, sections


def _no_target(group: str, known: list[str]) -> str:
    close = difflib.get_close_matches(group, known, 1, 0.8)
    return (f'is no target; did you mean [{close[0]}]?' if close else
            'is no target; name it in [spdk] nvmf_targets, vhost_targets or '
            'iscsi_targets')


def unknown_options(conf: cfg.ConfigOpts) -> list[str]:
    """Names in our groups of the configuration files that are no options.

    oslo.config passes over them in silence, and a misspelt option then has
    no effect.

    :param conf: an ``oslo_config.cfg.ConfigOpts`` whose files were parsed.
    :returns: list of str, each one line for the operator.
    """
    known = {options.GROUP: [opt.name for opt in options.SPDK_OPTS]}
    for kind in options.KINDS:
        for name in conf.spdk[f'{kind}_targets']:
            known[name] = [opt.name for opt in options.target_opts(kind)]
    messages = []
    for path, sections in _parsed(conf.config_file or []):
        for group, given in sections.items():
            if group.startswith(options.GROUP) and group not in (
                    *known, *_OTHER_GROUPS):
                messages.append(f'{path}: [{group}] '
                                + _no_target(group, list(known)))
            for name in given if group in known else ():
                if name in known[group]:
                    continue
                close = difflib.get_close_matches(name, known[group], 1)
                messages.append(
                    f'{path}: [{group}] {name} is no option'
                    + (f'; did you mean {close[0]}?' if close else ''))
    return messages
