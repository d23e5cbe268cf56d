# SPDX-License-Identifier: Apache-2.0

"""The pages of the documentation, as the tests of what they say read them."""

import dataclasses
import pathlib
import re
import shlex

#: The root of the source tree.
TOP = pathlib.Path(__file__).parent.parent
#: All pages.
PAGES = tuple(sorted((TOP / 'doc' / 'source').rglob('*.rst'))) + tuple(
    TOP / name for name in ('README.rst', 'CONTRIBUTING.rst', 'HACKING.rst'))

_DIRECTIVE = re.compile(r'( *)\.\. code-block:: *(\w+)')
_LITERAL = re.compile(r'( *)(?!\.\. ).*::$')


@dataclasses.dataclass(frozen=True)
class Block:
    """A literal block.

    :ivar page: where it is, from the root of the tree.
    :ivar line: number of the line that begins it.
    :ivar language: as ``code-block`` names it; empty for a plain one.
    :ivar text: without the indent.
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """For messages."""
        return f'{self.page}:{self.line}'


def blocks():
    """Yield each :class:`Block` of all pages."""
    for path in PAGES:
        yield from _of_page(path)


def _of_page(path):
    lines = path.read_text().splitlines()
    number = 0
    while number < len(lines):
        found = _DIRECTIVE.match(lines[number]) \
            or _LITERAL.match(lines[number])
        begin = number = number + 1
        if not found:
            continue
        indent = len(found.group(1))
        while number < len(lines) and (
                not lines[number].strip() or _indent(lines[number]) > indent):
            number += 1
        body = [line for line in lines[begin:number]]
        depth = min((_indent(line) for line in body if line.strip()),
                    default=0)
        yield Block(str(path.relative_to(TOP)), begin,
                    (found.groups() + ('',))[1] or '',
                    '\n'.join(line[depth:] for line in body).strip('\n'))


def _indent(line):
    return len(line) - len(line.lstrip())


def commands(program):
    """Command lines of a program in the literal blocks.

    :param program: its name, as they begin with it.
    :returns: list of (place, words without the program).
    """
    found = []
    for block in blocks():
        text = block.text.replace('\\\n', ' ')
        for line in text.splitlines():
            line = re.sub(r'^[$#] ', '', line)
            if line.startswith(program + ' '):
                found.append((block.place,
                              tuple(_words(line.rstrip('&; }'))[1:])))
    return found


def _words(line):
    """Words of a command line; what is in brackets may be left out."""
    return [word.strip('[]') if word.startswith(('[-', '[--')) else word
            for word in shlex.split(line, comments=True)]


def inline(pattern):
    """What is between double backquotes and matches.

    :param pattern: a regular expression for all of it.
    :returns: list of (page, text), with line ends made blanks.
    """
    return [(str(path.relative_to(TOP)), ' '.join(text.split()))
            for path in PAGES
            for text in re.findall(r'``([^`]+)``', path.read_text())
            if re.fullmatch(pattern, ' '.join(text.split()))]
