"""`lake doctor`."""

import click

from lake.cli.call import Call, verb
from lake.cli.output import document, line, plain


@verb(name="doctor")
@click.pass_context
def command(ctx: click.Context, call: Call) -> None:
    """Try what the lake needs of its store and this machine."""
    from lake.operations.doctor import Finding, doctor

    def tell(finding: Finding) -> None:
        if not call.json:
            mark = "ok  " if finding.ok else "FAIL"
            line(plain(f"{mark}  {finding.tried:<12}  {finding.found}"))

    found = doctor(call.store(), tell)
    if call.json:
        document(found)
    failed = [finding for finding in found if not finding.ok]
    if failed:
        ctx.exit(1)
