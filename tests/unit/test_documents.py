# SPDX-License-Identifier: Apache-2.0

"""What the documentation shows is what the program takes and says.

Its commands are run by tests/functional/cli/test_documents.py.
"""

import ast
import configparser
import itertools
import pathlib
import re

import fixtures
from oslo_config import cfg
import testtools
import yaml

from cyborg_spdk.cli import manager
from cyborg_spdk import conf as spdk_conf
from cyborg_spdk.service import options
from cyborg_spdk.units.declared import document
from tests import documents

#: Groups whose options are Cyborg's.
_CYBORGS = {'agent', 'placement', 'keystone_authtoken', 'service_user'}
#: Stands for what the reader has to fill in.
_FILLED_IN = re.compile(r'\b[A-Z][A-Z_]*\b|\.\.\.|\bN\b')


class CommandsTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.manager = manager.Manager('cyborg_spdk.cli')

    def _parses(self, place, words):
        words = list(words)
        while words[:1] == ['--set']:
            del words[:2]
        try:
            factory, name, rest = self.manager.find_command(words)
        except ValueError as exc:
            self.fail(f'{place}: {exc}')
        if name in ('rpc', 'simulate'):
            return
        parser = factory(None, None).get_parser(name)
        try:
            parser.parse_args(rest)
        except SystemExit:
            self.fail(f'{place}: {" ".join(words)}: is not understood')

    def test_of_the_examples(self):
        found = documents.commands('cyborg-spdk')
        self.assertLess(30, len(found))
        for place, words in found:
            self._parses(place, words)

    def test_in_the_text(self):
        names = {name for name, _ in self.manager}
        firsts = {' '.join(name.split()[:number]) for name in names
                  for number in (1, 2, 3)}
        for place, text in documents.inline(r'cyborg-spdk [a-z].*'):
            words = list(itertools.takewhile(
                lambda word: re.fullmatch(r'[a-z][a-z-]*', word),
                text.split()[1:]))
            named = [' '.join(words[:number]) for number in (1, 2, 3)]
            self.assertIn(words[0], firsts, f'{place}: {text}')
            if len(words) > 1 and words[0] not in names:
                self.assertIn(named[1], firsts, f'{place}: {text}')


class ConfigurationTest(testtools.TestCase):

    def test_examples(self):
        """Each option exists, and takes the value."""
        seen = 0
        for block in documents.blocks():
            if block.language != 'ini' or '[' not in block.text:
                continue
            parser = configparser.ConfigParser()
            parser.read_string(block.text)
            conf = cfg.ConfigOpts()
            conf([])
            spdk_conf.register(conf)
            conf.register_opts(options.OPTS, options.GROUP)
            spdk_conf.targets(conf)
            for section in sorted(set(parser.sections()) - _CYBORGS,
                                  key=lambda name: name != 'spdk'):
                for option, value in parser[section].items():
                    seen += 1
                    try:
                        conf.set_override(option, value, group=section)
                    except (cfg.NoSuchOptError, cfg.NoSuchGroupError,
                            ValueError) as exc:
                        self.fail(f'{block.place}: {exc}')
                if section == 'spdk':
                    # It may name further targets.
                    spdk_conf.targets(conf)
            spdk_conf.targets(conf)
        self.assertLess(15, seen)

    def test_options_in_the_text(self):
        conf = cfg.ConfigOpts()
        conf([])
        spdk_conf.register(conf)
        conf.register_opts(options.OPTS, options.GROUP)
        spdk_conf.targets(conf)
        for place, text in documents.inline(r'\[spdk[a-z_]*\] .*'):
            group, name = re.match(r'\[(\w+)\] (\w+)', text).groups()
            self.assertIn(name, conf[group], f'{place}: {text}')

    def test_declared_units(self):
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path, 'units')
        seen = 0
        for block in documents.blocks():
            if block.language == 'yaml' and 'units.yaml' in block.text:
                path.write_text(block.text)
                document.read(str(path))
                seen += 1
        self.assertEqual(1, seen)

    def test_yaml(self):
        for block in documents.blocks():
            if block.language == 'yaml':
                self.assertIsInstance(yaml.safe_load(block.text), dict,
                                      block.place)


class PythonTest(testtools.TestCase):

    def test_what_is_imported_is_there(self):
        seen = 0
        for block in documents.blocks():
            if block.language != 'python' \
                    and not block.text.startswith('from '):
                continue
            tree = ast.parse(block.text)
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module.startswith(
                        ('cyborg_spdk', 'spdk_simulator')):
                    seen += 1
                    exec(compile(  # noqa: S102
                        ast.Module([node], []), block.place, 'exec'), {})
        self.assertLess(4, seen)


class FilesTest(testtools.TestCase):

    def test_of_this_tree(self):
        for place, text in documents.inline(
                r'(etc|doc|tools|tests|devstack|benchmarks)/[\w./*-]+'):
            # tox writes what is in there.
            found = 'build/html' in text \
                or any(documents.TOP.glob(text.rstrip('/')))
            self.assertTrue(found, f'{place}: {text} does not exist')

    def test_environments_of_tox(self):
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(documents.TOP / 'tox.ini')
        for place, text in documents.inline(r'tox -e .*'):
            for name in text.split()[2].split(','):
                self.assertTrue(
                    name.startswith('py') or any(
                        re.fullmatch(_of_factors(one), f'testenv:{name}')
                        for one in parser), f'{place}: {text}')


def _of_factors(section):
    """``testenv:nova{33,34}`` as a regular expression."""
    return re.sub(r'\{([^}]*)\}', lambda found: '(' + found.group(1).replace(
        ',', '|') + ')', section)


class MessagesTest(testtools.TestCase):
    """Troubleshooting goes by what the program really says."""

    #: Said by others.
    _OTHERS = {'No valid host was found', 'BindFailed',
               'HTTP 403'}

    def test_lines(self):
        page = documents.TOP / 'doc/source/admin/troubleshooting.rst'
        said = _strings('cyborg_spdk')
        seen = 0
        for row in re.findall(r'^   \* - (.*?)^     - ', page.read_text(),
                              re.MULTILINE | re.DOTALL):
            for text in re.findall(r'``([^`]+)``', row):
                text = ' '.join(text.split())
                if text in self._OTHERS or text == 'plug list':
                    continue
                parts = [part.strip(' :;,') for part in
                         _FILLED_IN.split(text)]
                for part in filter(lambda part: len(part) > 3, parts):
                    seen += 1
                    self.assertTrue(_plain(part) in said,
                                    f'nothing says {part!r}: {text}')
        self.assertLess(20, seen)


def _plain(text):
    return re.sub(r'[^a-z]+', ' ', text.lower()).strip()


def _strings(package):
    """All that a package may say: its strings, as one text."""
    found = []
    for path in pathlib.Path(documents.TOP / package).rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                found.append(' '.join(
                    part.value if isinstance(part, ast.Constant) else ' '
                    for part in node.values))
    return _plain(' | '.join(found))
