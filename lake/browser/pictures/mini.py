"""A picture of a column's values in 96 x 24, as stands over the rows of a table."""

from collections.abc import Sequence

from markupsafe import Markup

from lake.browser import words
from lake.browser.pictures.columns import Picture

WIDTH, HEIGHT = 96, 24
_NULLS, _GAP = 5, 1
_WIDEST = 18


def mini(name: str, one: Picture, to: str) -> Markup:
    """Return a column's histogram, or bars of its most frequent texts; `""`: there is none.

    Args:
        name: of the column.
        one: what its values look like.
        to: where the picture leads; `""`: nowhere.
    """
    bars = [bar.rows for bar in one.bars] or [value.rows for value in one.top]
    if not bars:
        return Markup("")
    svg = Markup(
        '<svg class="mini" role="img" aria-label="{}" width="{w}" height="{h}"'
        ' viewBox="0 0 {w} {h}"><title>{}</title>{}</svg>'
    ).format(f"Values of {words.seen(name[:80])}", said(one), _drawn(one, bars), w=WIDTH, h=HEIGHT)
    return Markup('<a href="{}">{}</a>').format(to, svg) if to else svg


def said(one: Picture) -> str:
    """Say what a picture shows."""
    nulls = [f"{words.share(one.nulls, one.rows)} null"] if one.nulls else []
    if one.bars:
        what = "lengths" if one.kind == "different" else "values"
        return "; ".join([f"{what} from {one.first} to {one.last or one.first}", *nulls])
    total = one.rows - one.nulls
    shares = [f"{words.seen(of.text[:40])} {words.share(of.rows, total)}" for of in one.top]
    other = [f"other {words.share(one.other, total)}"] if one.other else []
    return ", ".join([*shares, *other, *nulls])


def _drawn(one: Picture, bars: Sequence[int]) -> Markup:
    tall = [*bars, one.other] if one.other else bars
    most, room = max(tall) or 1, WIDTH - (_NULLS + _GAP if one.nulls else 0)
    pitch = min((room + _GAP) / len(tall), _WIDEST)
    steps = [
        _step(round(place * pitch, 1), round(max(pitch - _GAP, 1), 1), rows / most)
        for place, rows in enumerate(tall)
        if rows
    ]
    soft = [steps.pop()] if one.other else []
    nulls = [_step(WIDTH - _NULLS, _NULLS, one.nulls / one.rows)] if one.nulls else []
    paths = [("bar", steps), ("barsoft", soft), ("nul", nulls)]
    path = Markup('<path class="{}" d="{}"/>')
    return Markup("").join(path.format(kind, "".join(some)) for kind, some in paths if some)


def _step(x: float, wide: float, share: float) -> str:
    tall = max(round(HEIGHT * share, 1), 1)
    return f"M{x:g} {HEIGHT}v-{tall:g}h{wide:g}v{tall:g}z"
