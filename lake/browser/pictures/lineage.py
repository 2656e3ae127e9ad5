"""Lineage as SVG: layers by the longest path, ordered by where their neighbours are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from unicodedata import east_asian_width

from markupsafe import Markup

from lake.browser import words

_WIDE, _TALL, _ROW, _GAP, _EDGE = 176, 38, 52, 56, 16
_SWEEPS = 4


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
    layers, ways = _layers([box.id for box in boxes], arrows)
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
    lines = Markup("").join(_arrow([places[name] for name in way]) for way in ways)
    nodes = Markup("").join(_node(box, places[box.id]) for box in boxes)
    return Markup(
        '<svg role="group" aria-label="Lineage" width="{w}" height="{h}" viewBox="0 0 {w} {h}">'
        "{}{}</svg>"
    ).format(lines, nodes, w=width, h=height)


def _layers(
    names: Sequence[str], arrows: Sequence[tuple[str, str]]
) -> tuple[list[list[str]], list[list[str]]]:
    """Return the layers, and each arrow's way through them: a place of its own in every layer."""
    ranks = _ranks(names, arrows)
    layers: list[list[str]] = [[] for _ in range(max(ranks.values()) + 1)]
    for name in names:
        layers[ranks[name]].append(name)
    ways = []
    for one, other in arrows:
        between = [f"{one}\0{other}\0{rank}" for rank in range(ranks[one] + 1, ranks[other])]
        for rank, name in enumerate(between, start=ranks[one] + 1):
            layers[rank].append(name)
        ways.append([one, *between, other])
    before: dict[str, list[str]] = {name: [] for layer in layers for name in layer}
    after: dict[str, list[str]] = {name: [] for name in before}
    for way in ways:
        for name, following in pairwise(way):
            before[following].append(name)
            after[name].append(following)
    for _ in range(_SWEEPS):
        for left, right in pairwise(layers):
            _order(right, before, left)
        for right, left in pairwise(layers[::-1]):
            _order(left, after, right)
    return layers, ways


def _ranks(names: Sequence[str], arrows: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return how long the longest path to each is; what can stand nearer to what follows, does."""
    before: dict[str, list[str]] = {name: [] for name in names}
    after: dict[str, list[str]] = {name: [] for name in names}
    for one, other in arrows:
        before[other].append(one)
        after[one].append(other)
    ranks = _longest(names, before)
    for name in sorted(names, key=lambda name: -ranks[name]):
        if after[name]:
            ranks[name] = max(min(ranks[other] for other in after[name]) - 1, ranks[name])
    return ranks


def _longest(names: Sequence[str], before: Mapping[str, Sequence[str]]) -> dict[str, int]:
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


def _order(layer: list[str], near: Mapping[str, Sequence[str]], beside: Sequence[str]) -> None:
    """Bring a layer into the order of the middles of its neighbours in the one beside it."""
    place = {name: row - (len(beside) - 1) / 2 for row, name in enumerate(beside)}
    middles = {}
    for row, name in enumerate(layer):
        found = [place[one] for one in near[name] if one in place]
        middles[name] = sum(found) / len(found) if found else row - (len(layer) - 1) / 2
    layer.sort(key=lambda name: middles[name])


def _arrow(way: Sequence[tuple[int, int]]) -> Markup:
    """Return a line from box to box; in the layers between, it goes straight through its place."""
    x, y = way[0][0] + _WIDE, way[0][1] + _TALL // 2
    steps = [f"M{x} {y}"]
    for number, (to_x, top) in enumerate(way[1:], start=2):
        to_y, middle = top + _TALL // 2, to_x - _GAP // 2
        steps.append(f"C{middle} {y} {middle} {to_y} {to_x} {to_y}")
        y = to_y
        if number < len(way):
            steps.append(f"H{to_x + _WIDE}")
    return Markup('<path d="{}"/>').format("".join(steps))


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
    """Return as much of a text as a box has room for: some letters are twice as wide as others."""
    found, room = words.seen(text), _WIDE - 24.0
    for place, letter in enumerate(found):
        room -= _width(letter)
        if room < 0:
            return f"{found[: place - 1]}…"
    return found


def _width(letter: str) -> float:
    """Return at least how wide a letter is in 12 pixels, in any script."""
    if east_asian_width(letter) in "WF":
        return 12.0
    return 10.5 if letter in "mwMW@%" else 8.4 if letter.isupper() else 6.9
