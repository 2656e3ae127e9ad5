"""Templates, and the words that they say things with."""

import hashlib
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lake.browser import words
from lake.browser.ask import Ask, dataset_path
from lake.browser.pictures import show
from lake.browser.prefect_pages import page_of
from lake.version import VERSION

ASSETS = {
    "lake.css": "text/css; charset=utf-8",
    "format.js": "text/javascript; charset=utf-8",
    "lake.js": "text/javascript; charset=utf-8",
    "sql.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "inter.woff2": "font/woff2",
}
LONGEST_S = 3600
"""For how long a page is given again at most."""
_LATE_S = 60.0
"""By how much its times may be late: of the many of a list, one changes at any moment."""
_FILTERS = (
    *("cell", "count", "decoded", "exact", "humane", "plural", "seen", "share", "size"),
    "weight",
)


@cache
def asset(name: str) -> bytes:
    """Return the bytes of an asset."""
    found = resources.files("lake.browser").joinpath("assets", name).read_bytes()
    if name.endswith(".css"):
        found = found.replace(b"url(inter.woff2)", f"url({asset_path('inter.woff2')})".encode())
    return found


@cache
def asset_path(name: str) -> str:
    """Return the address of an asset: another one when its bytes are others."""
    return f"/assets/{hashlib.sha256(asset(name)).hexdigest()[:12]}/{name}"


@cache
def environment() -> Environment:
    """Return the templates' environment, in which every text is escaped."""
    made = Environment(
        loader=PackageLoader("lake.browser"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(asset=asset_path, dataset_path=dataset_path, version=VERSION, words=words)
    made.globals.update(show=show, prefect_page=page_of)
    for name in _FILTERS:
        made.filters[name] = getattr(words, name)
    return made


def render(template: str, ask: Ask, **values: Any) -> str:
    """Return the page that a template makes.

    Its times are told as of the moment that the page was asked for.
    """
    return rendered(template, ask, **values)[0]


def rendered(template: str, ask: Ask, **values: Any) -> tuple[str, float]:
    """Return the page that a template makes, and for how many seconds it may be given again."""
    lasting = [float(LONGEST_S)]

    def when(value: datetime | str | None, *, short: bool = False) -> Markup:
        if value:
            lasting.append(words.lasts(words.moment(value), ask.now))
        return words.when(value, ask.now, short=short)

    found = environment().get_template(f"{template}.html")
    return found.render(ask=ask, when=when, **values), max(min(lasting), _LATE_S)
