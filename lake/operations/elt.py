"""`elt`: land, transform and load, one after the other; what fails does not stop the rest."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lake.errors import LakeError, raise_all

if TYPE_CHECKING:
    from lake.lake import Lake

Told = Callable[[Any], None]


def elt(
    lake: "Lake",
    *,
    since: str | None = None,
    until: str | None = None,
    landed: Told = lambda landing: None,
    built: Told = lambda run: None,
    loaded: Told = lambda loaded: None,
) -> None:
    """Bring what is new from the sources to the warehouse.

    Each stage works with what is published: a source that failed or a model that was withheld does
    not keep the rest from going on. Safe to run at any time, twice, and after a kill.

    Args:
        lake: moved to the last commit.
        since: the first period of the sources.
        until: the last one, inclusive.
        landed: hears of every landing.
        built: hears of every model.
        loaded: hears of every table.

    Raises:
        LakeError: the only failure; SeveralFailed: all of them.
    """
    stages: list[tuple[bool, Callable[[], object]]] = [
        (
            has_sources(lake),
            lambda: lake.land_sources(since=since, until=until, told=landed),
        ),
        (has_models(lake), lambda: lake.transform(told=built)),
        (has_tables(lake), lambda: lake.load(told=loaded)),
    ]
    errors: list[LakeError] = []
    for is_wanted, stage in stages:
        try:
            if is_wanted:
                stage()
        except LakeError as error:
            errors.append(error)
    raise_all(errors)


def has_sources(lake: "Lake") -> bool:
    """Tell whether anything is declared that can be landed."""
    from lake.landing.sources import sources

    return bool(sources(lake))


def has_models(lake: "Lake") -> bool:
    """Tell whether there are models, in `models/` or in the log."""
    folder = lake.config.models
    return any(folder.glob("*.sql")) if folder.is_dir() else bool(lake.state.declared("model"))


def has_tables(lake: "Lake") -> bool:
    """Tell whether any table is to be loaded."""
    return bool(lake.config.warehouse.load or lake.state.declared("table"))
