"""`apply`: what `lake.toml` and `models/` say, declared in the lake's own log."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lake.catalog.entries import Declare
from lake.catalog.publish import Draft, publish
from lake.catalog.state import State
from lake.errors import InvalidConfig, LakeError
from lake.landing.order import Landing
from lake.landing.reread import readmit
from lake.landing.sources import declaration as source_declaration
from lake.schema.admit import prepare, restore
from lake.warehouse.declared import declaration

if TYPE_CHECKING:
    from lake.lake import Lake

What = Literal["new", "changed", "unchanged", "not declared here"]
KINDS = ("source", "model", "table", "lake")


@dataclass(frozen=True, slots=True)
class Applied:
    """One thing that the files or the log declare, and how the two compare.

    `not declared here`: only the log still has it; it was not touched.
    """

    kind: str
    name: str
    what: What


def apply(lake: "Lake") -> tuple[list[Applied], int | None]:
    """Declare everything that `lake.toml` and `models/` say, as one commit; drop nothing.

    What the views need beside the data is made again where it is missing.

    Returns:
        What was found, and the commit; None if there was nothing to say.

    Raises:
        InvalidConfig: there is no `lake.toml`.
        ModelInvalid: a model is none; nothing was published.
        SchemaConflict: what is declared of a source's columns contradicts its current files;
            nothing was published.
    """
    if lake.config.path is None:
        raise InvalidConfig(
            "there is no lake.toml here or above, so nothing to apply: go to your project's folder"
        )
    said = declarations(lake)
    found: list[Applied] = []

    def plan(state: State) -> Draft:
        found[:] = compare(state, said)
        moved = {(one.kind, one.name) for one in found if one.what in ("new", "changed")}
        changes = [one for one in said if (one.kind, one.name) in moved]
        notes = prepare(lake.log, state, changes, {})
        return Draft([*changes, *notes])

    number = publish(
        lake.log, lake.state, plan, commit_id=lake.new_id(), message="apply", run=lake.run
    )
    restore(lake.log, lake.state)
    return found, number


@dataclass(frozen=True, slots=True)
class Application:
    """What applying came to.

    Attributes:
        commit: of the declarations; None if there was nothing to say.
        read_again: held versions that were read again, or let in.
        errors: what could not be read again.
    """

    declared: tuple[Applied, ...]
    commit: int | None
    read_again: tuple[Landing, ...] = ()
    errors: tuple[LakeError, ...] = ()


def apply_all(lake: "Lake") -> Application:
    """Declare everything, then read what is held again as it is declared now: a commit per source.

    Raises:
        InvalidConfig, ModelInvalid, SchemaConflict: see `apply`.
    """
    declared, number = apply(lake)
    landings: list[Landing] = []
    errors: list[LakeError] = []
    for source in lake.config.sources.values():
        found, failed = readmit(lake, source)
        landings += found
        errors += failed
    return Application(tuple(declared), number, tuple(landings), tuple(errors))


def declarations(lake: "Lake") -> list[Declare]:
    """Return all that `lake.toml` and `models/` declare."""
    sources = [source_declaration(source) for source in lake.config.sources.values()]
    return [*sources, *_models(lake), *_tables(lake), *_browser(lake)]


def _browser(lake: "Lake") -> list[Declare]:
    """Say where the lake browser is, for those who have no `lake.toml`; "" takes it back."""
    url, before = lake.config.browser, lake.state.declared("lake").get("browser", "")
    return [Declare("lake", "browser", url)] if url or before else []


def _models(lake: "Lake") -> list[Declare]:
    if not lake.config.models.is_dir():
        return []
    from lake.models.project import read_models

    return [Declare("model", model.name, model.text) for model in read_models(lake)]


def _tables(lake: "Lake") -> list[Declare]:
    return [declaration(lake, name) for name in lake.config.warehouse.load]


def compare(state: State, said: list[Declare]) -> list[Applied]:
    """Say of everything that is declared, here or in the log, how the two compare."""
    found = [Applied(one.kind, one.name, _what(state, one)) for one in said]
    here = {(one.kind, one.name) for one in said}
    for kind in KINDS:
        gone = sorted(name for name in state.declared(kind) if (kind, name) not in here)
        found += [Applied(kind, name, "not declared here") for name in gone]
    return found


def _what(state: State, one: Declare) -> What:
    before = state.declared(one.kind).get(one.name, "")
    if not before:
        return "new"
    return "unchanged" if before == one.text else "changed"
