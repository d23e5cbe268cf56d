# SPDX-License-Identifier: Apache-2.0

"""``cyborg-spdk topology``: what stands on what, as a picture."""

import argparse
from collections.abc import Callable
from collections.abc import Sequence
import json
from typing import Any
import xml.sax.saxutils  # nosec B406

from cyborg_spdk.cli import commands
from cyborg_spdk import clients
from cyborg_spdk.clients import topology
from cyborg_spdk import text as texts

# Fill colour by kind of object; the rest is white.
_COLOURS = {'target': '#d7e3f4', 'subsystem': '#dff0d8',
            'controller': '#dff0d8', 'node': '#dff0d8',
            'bdev': '#fcf3d7', 'lvstore': '#f4e3d7'}
_ROW, _INDENT, _CHARACTER, _MARGIN = 34, 28, 7.3, 10


def words(node: topology.Node) -> str:
    """One line about an object."""
    kind = {'scsi': 'SCSI target', 'lun': 'LUN',
            'node': 'target node', 'lvstore': 'lvol store'}.get(
        node.kind, node.kind)
    text = node.label if node.kind == 'group' else f'{kind} {node.label}'
    return texts.printable(
        f'{text} ({node.detail})' if node.detail else text)


def tree(graph: topology.Graph) -> list[str]:
    """The graph as text with lines.

    :returns: list of str.
    """
    lines: list[str] = []
    # For each ancestor, whether more of its sisters follow.
    followed: list[bool] = []
    for depth, node, again, last in graph.walk():
        del followed[depth:]
        mark = ' ...' if again and graph.below[node.id] else ''
        if depth == 0:
            lines.append(words(node))
        else:
            stem = ''.join('|   ' if more else '    '
                           for more in followed[1:])
            lines.append(f'{stem}{"`-- " if last else "|-- "}'
                         f'{words(node)}{mark}')
        followed.append(not last)
    return lines


def dot(graphs: Sequence[topology.Graph]) -> list[str]:
    """The graphs in the language of Graphviz.

    :returns: list of str.
    """
    lines = ['digraph spdk {', '  rankdir=LR;',
             '  node [shape=box, style="rounded,filled", '
             'fillcolor=white, fontname="sans-serif"];']
    for number, graph in enumerate(graphs):
        names = {key: f'n{number}_{at}' for at, key in enumerate(
            graph.nodes)}
        for key, node in graph.nodes.items():
            colour = _COLOURS.get(node.kind, 'white')
            lines.append(f'  {names[key]} [label={_quoted(words(node))}, '
                         f'fillcolor="{colour}"];')
        lines += [f'  {names[key]} -> {names[lower]};'
                  for key, below in graph.below.items()
                  for lower in below]
    return lines + ['}']


def _quoted(text: str) -> str:
    escaped = text.replace('\\', '\\\\').replace('"', '\\"')
    return f'"{escaped}"'


def svg(graphs: Sequence[topology.Graph]) -> list[str]:
    """The graphs as a drawing.

    :returns: list of str.
    """
    boxes: list[tuple[int, int, float, str, str]] = []
    lines: list[str] = []
    parents: list[tuple[int, int]] = []
    row = 0
    for graph in graphs:
        for depth, node, again, _ in graph.walk():
            text = words(node) + (' ...' if again else '')
            x, y = _MARGIN + depth * _INDENT, _MARGIN + row * _ROW
            del parents[depth:]
            if parents:
                above_x, above_y = parents[-1]
                lines.append(
                    f'<path d="M{above_x + 10} {above_y + 24} V{y + 12} '
                    f'H{x}" fill="none" stroke="#888"/>')
            parents.append((x, y))
            boxes.append((x, y, len(text) * _CHARACTER + 16, text,
                          _COLOURS.get(node.kind, 'white')))
            row += 1
    width = max(x + w for x, _, w, _, _ in boxes) + _MARGIN
    height = row * _ROW + _MARGIN
    drawn = [
        f'<rect x="{x}" y="{y}" width="{w:.0f}" height="24" rx="5" '
        f'fill="{colour}" stroke="#555"/>'
        f'<text x="{x + 8}" y="{y + 16}">'
        f'{xml.sax.saxutils.escape(text)}</text>'
        for x, y, w, text, colour in boxes]
    return [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" '
            f'height="{height}" font-family="monospace" font-size="12">',
            *lines, *drawn, '</svg>']


def plain(graph: topology.Graph, key: str | None = None) -> dict[str, Any]:
    """The graph as nested dicts, for JSON."""
    node = graph.nodes[key or graph.root]
    return {'kind': node.kind, 'name': node.label, 'detail': node.detail,
            'on': [plain(graph, lower) for lower in graph.below[node.id]]}


_DRAW: dict[str, Callable[[Sequence[topology.Graph]], list[str]]] = {
    'tree': lambda graphs: [line for graph in graphs for line in tree(graph)],
    'dot': dot,
    'svg': svg,
    'json': lambda graphs: [json.dumps([plain(graph) for graph in graphs],
                                       indent=2)]}


class Topology(commands.Reading[clients.BdevClient]):
    """Show what stands on what: target, subsystem, namespace, bdev, base."""

    client_class = clients.BdevClient
    arguments = (
        (('-f', '--format'), {
            'choices': ('tree', 'dot', 'svg', 'json'), 'default': 'tree',
            'help': 'tree: text; dot: for Graphviz; svg: a drawing; json: '
                    'nested objects. Default: tree.'}),
        (('-o', '--output'), {'metavar': 'FILE', 'help':
                              'Write it there instead of showing it.'}))

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        graphs = [topology.read(tgt.rpc, name)
                  for name, tgt in self.each(parsed_args)]
        if not graphs:
            return
        text = '\n'.join(_DRAW[parsed_args.format](graphs)) + '\n'
        if parsed_args.output:
            with open(parsed_args.output, 'w', encoding='utf-8') as file:
                file.write(text)
        else:
            self.app.stdout.write(text)
