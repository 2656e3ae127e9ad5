"""The table of verbs, and the group that loads the one which was asked for."""

from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

import click

from lake.cli.call import Call, with_common_options
from lake.errors import MissingExtra
from lake.version import VERSION
from lake.words import nearest

VERBS = {
    "init": "make a lake, or see that it is there",
    "apply": "declare in the log what lake.toml and models/ say",
    "land": "bring what the sources hold now into raw",
    "transform": "build the models whose inputs changed, check and publish them",
    "load": "bring published tables into the warehouse, exactly once",
    "elt": "land, transform and load",
    "status": "what is late, held or stale, and what was loaded last",
    "ls": "the datasets, or the partitions of one",
    "show": "what one dataset or partition holds, and where it came from",
    "log": "the commits, newest first",
    "diff": "what is different between two versions, snapshots or commits",
    "sql": "query the lake; alone, a prompt",
    "browse": "look around in the lake with a web browser, until Ctrl-C",
    "get": "write the original bytes into a folder",
    "files": "the files' URLs, or a statement that reads them",
    "attach": "write a DuckDB file with the lake's views",
    "tag": "give a snapshot a name that keeps it",
    "rollback": "restore what a dataset or partition held before",
    "release": "publish what is held",
    "remove": "take a partition away",
    "drop": "take a dataset away",
    "rename": "give a dataset another name",
    "gc": "delete what no kept snapshot needs",
    "verify": "read every byte again and compare it with the log",
    "doctor": "try what the lake needs of its store and this machine",
    "demo": "a year of taxi data through the whole lake, in a minute",
    "completion": "print a script that completes words in your shell",
}


@cache
def _registered() -> dict[str, str]:
    """Return the verbs of other packages, by entry points of the group `lake.verbs`."""
    return {found.name: found.value for found in entry_points(group="lake.verbs")}


def _others() -> dict[str, click.Command]:
    """Return the verbs of other packages whose own packages are installed."""
    found = {}
    for name, value in sorted(_registered().items()):
        with suppress(MissingExtra):
            found[name] = _command(value)
    return found


def _command(value: str) -> click.Command:
    module, _, name = value.partition(":")
    command = getattr(import_module(module), name)
    assert isinstance(command, click.Command)
    return command


class Verbs(click.Group):
    """`lake`: its commands are modules of this package, imported when they are named.

    Other packages register theirs; those that need what is not installed are not listed, and say
    how to install it when they are named.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which one meets them."""
        return [*VERBS, *_others()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb's command.

        Raises:
            MissingExtra: it needs what is not installed.
        """
        if cmd_name in VERBS:
            return _command(f"lake.cli.{cmd_name}:command")
        value = _registered().get(cmd_name)
        return _command(value) if value else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb that was asked for; name the nearest one where there is none."""
        if args[0] not in VERBS and args[0] not in _registered() and not ctx.resilient_parsing:
            ctx.fail(f"there is no verb {args[0]!r}{nearest(args[0], [*VERBS, *_registered()])}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of verbs without importing any of ours."""
        others = [(name, found.short_help or "") for name, found in _others().items()]
        with formatter.section("Verbs"):
            formatter.write_dl([*VERBS.items(), *others])


@click.pass_context
def _lake(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def group() -> click.Group:
    """Return the whole command line."""
    made = Verbs(
        name="lake",
        callback=_lake,
        invoke_without_command=True,
        subcommand_metavar="VERB …",
        help="A data lake in object storage that cannot turn into a swamp.",
        context_settings={"help_option_names": ["-h", "--help"], "obj": Call()},
    )
    with_common_options(made)
    return click.version_option(VERSION, prog_name="lake", message="%(prog)s %(version)s")(made)
