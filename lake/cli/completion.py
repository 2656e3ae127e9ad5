"""`lake completion`."""

import click

from lake.cli.call import Call, verb
from lake.cli.output import document, line


@verb(name="completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(call: Call, shell: str) -> None:
    r"""Print a script that completes words in your shell, for lake and clearlake.

    \b
    bash: eval "$(lake completion bash)"          in ~/.bashrc
    zsh:  eval "$(lake completion zsh)"           in ~/.zshrc
    fish: lake completion fish > ~/.config/fish/completions/lake.fish
    """
    from click.shell_completion import get_completion_class

    from lake.cli.run import PROGRAMS, completion_variable
    from lake.cli.verbs import group

    made = get_completion_class(shell)
    assert made
    scripts = [made(group(), {}, name, completion_variable(name)) for name in PROGRAMS]
    text = "\n".join(one.source_template % one.source_vars() for one in scripts)
    if call.json:
        document({"shell": shell, "script": text})
    else:
        line(text)
