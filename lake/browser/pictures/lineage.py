"""Lineage as SVG: layers by the longest path, ordered by where their neighbours are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from lake.browser import words

_WIDE, _TALL, _ROW, _GAP, _EDGE = 176, 38, 52, 56, 16
_SWEEPS = 4
_LONGEST = 23


@dataclass(frozen=True, slots=True)
class Box:
    """A node as it is drawn; `to` is its address; `is_bad` that its `text` tells of a fault."""

    id: str
    name: str
    text: str
    to: str
    is_me: bool = False
    is_bad: bool = False


def drawn(boxes: Sequence[Box], arrows: Sequence[tuple[str, str]]) -> Markup:
    """Return the picture of boxes and the arrows between them, which go round in no circle."""
    layers = _layers([box.id for box in boxes], arrows)
    tallest = max(len(layer) for layer in layers)
    height = tallest * _ROW + 2 * _EDGE - (_ROW - _TALL)
    width = len(layers) * (_WIDE + _GAP) - _GAP + 2 * _EDGE
    places = {
        name: (
            _EDGE + number * (_WIDE + _GAP),
            _EDGE + (tallest - len(layer)) * _ROW // 2 + row * _ROW,
        )
        for number, layer in enumerate(layers)
        for row, name in enumerate(layer)
    }
    lines = Markup("").join(_arrow(places[one], places[other]) for one, other in arrows)
    nodes = Markup("").join(_node(box, places[box.id]) for box in boxes)
    return Markup(
        '<svg role="group" aria-label="Lineage" width="{w}" height="{h}" viewBox="0 0 {w} {h}">'
        "{}{}</svg>"
    ).format(lines, nodes, w=width, h=height)


def _layers(names: Sequence[str], arrows: Sequence[tuple[str, str]]) -> list[list[str]]:
    before: dict[str, list[str]] = {name: [] for name in names}
    after: dict[str, list[str]] = {name: [] for name in names}
    for one, other in arrows:
        before[other].append(one)
        after[one].append(other)
    ranks = _ranks(names, before)
    layers: list[list[str]] = [[] for _ in range(max(ranks.values()) + 1)]
    for name in names:
        layers[ranks[name]].append(name)
    for _ in range(_SWEEPS):
        for layer in layers[1:]:
            _order(layer, before, layers)
        for layer in reversed(layers[:-1]):
            _order(layer, after, layers)
    return layers


def _ranks(names: Sequence[str], before: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return how long the longest path to each is; in a circle, which cannot be, it ends."""
    ranks = dict.fromkeys(names, 0)
    for _ in names:
        moved = False
        for name in names:
            rank = max((ranks[one] + 1 for one in before[name]), default=0)
            if rank != ranks[name] and rank < len(names):
                ranks[name], moved = rank, True
        if not moved:
            break
    return ranks


def _order(
    layer: list[str], near: Mapping[str, Sequence[str]], layers: Sequence[Sequence[str]]
) -> None:
    """Bring a layer into the order of the middles of its neighbours."""
    place = {name: row - (len(each) - 1) / 2 for each in layers for row, name in enumerate(each)}

    def middle(name: str) -> float:
        found = [place[one] for one in near[name]]
        return sum(found) / len(found) if found else place[name]

    layer.sort(key=middle)


def _arrow(begin: tuple[int, int], end: tuple[int, int]) -> Markup:
    x, y = begin[0] + _WIDE, begin[1] + _TALL // 2
    to_x, to_y = end[0], end[1] + _TALL // 2
    bend = (to_x + x) // 2 if to_x - x <= _GAP else x + _GAP // 2
    return Markup('<path d="M{} {}C{} {} {} {} {} {}"/>').format(
        x, y, bend, y, to_x - _GAP // 2, to_y, to_x, to_y
    )


def _node(box: Box, place: tuple[int, int]) -> Markup:
    x, y = place
    return Markup(
        '<a href="{}" class="node{}"><title>{}</title>'
        '<rect x="{}" y="{}" width="{}" height="{}" rx="6"/>'
        '<text class="m" x="{}" y="{}" font-size="12">{}</text>'
        '<text class="sub{}" x="{}" y="{}">{}</text></a>'
    ).format(
        box.to,
        " me" if box.is_me else "",
        f"{words.seen(box.name)}: {words.seen(box.text)}",
        x,
        y,
        _WIDE,
        _TALL,
        x + 12,
        y + 16,
        _cut(box.name),
        " bad" if box.is_bad else "",
        x + 12,
        y + 31,
        _cut(box.text),
    )


def _cut(text: str) -> str:
    return words.seen(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")
