"""What every command takes: which lake, which environment, and whether JSON is wanted."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from lake.config import Config
    from lake.lake import Lake
    from storage_backends import Store


@dataclass(frozen=True, slots=True)
class Call:
    """The options before or behind the verb; those behind it win."""

    lake: str | None = None
    env: str | None = None
    json: bool = False

    def open(self) -> "Lake":
        """Return the lake that is meant, open at its head."""
        from lake.opening import open_lake

        return open_lake(self.lake, env=self.env)

    def store(self) -> "Store":
        """Return the store of the lake that is meant, whether or not a lake is there."""
        from lake.opening import store_of, where

        return store_of(where(self.lake, self.config()))

    def config(self) -> "Config":
        """Return what `lake.toml` says."""
        import os
        from pathlib import Path

        from lake.config import load

        return load(None, env=self.env, environ=os.environ, cwd=Path.cwd())


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value and param.name:
        ctx.obj = replace(ctx.obj or Call(), **{param.name: value})


def with_common_options(command: click.Command) -> None:
    """Give a command the options that all take."""
    command.params += [
        click.Option(
            ["--lake"],
            metavar="URL",
            expose_value=False,
            callback=_remember,
            help="The lake; else LAKE_URL, else the lake.toml of this or a parent folder.",
        ),
        click.Option(
            ["--env"],
            metavar="NAME",
            expose_value=False,
            callback=_remember,
            help="Apply [env.NAME] of lake.toml; else LAKE_ENV.",
        ),
        click.Option(
            ["--json"],
            is_flag=True,
            expose_value=False,
            callback=_remember,
            help="Print one JSON document.",
        ),
    ]


def _with_call(function: Callable[..., None]) -> Callable[..., None]:
    passed: Callable[..., None] = click.pass_obj(function)
    return passed


def verb(**settings: Any) -> Callable[[Callable[..., None]], click.Command]:
    """Make a command of a function; its first argument is the `Call`, the others click's."""

    def wrap(function: Callable[..., None]) -> click.Command:
        options = {"help_option_names": ["-h", "--help"]}
        decorate: Any = click.command(context_settings=options, **settings)
        made: click.Command = decorate(_with_call(function))
        with_common_options(made)
        return made

    return wrap
