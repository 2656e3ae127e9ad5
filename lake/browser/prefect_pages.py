"""Where a run of Prefect's has a page, if anything says where Prefect's pages are."""

import os
import re
from collections.abc import Mapping

SETTINGS = ("PREFECT_UI_URL", "PREFECT_API_URL")
_RUN = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def page_of(run: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the address of a flow run's page; `""`: it is none, or nothing says where.

    Args:
        run: the id that receipts and commits carry.
        environ: Prefect's own settings, of the server that shows the lake.
    """
    url = next((environ[name] for name in SETTINGS if environ.get(name)), "")
    url = url.rstrip("/").removesuffix("/api")
    if not _RUN.fullmatch(run) or not url.startswith(("http://", "https://")) or "@" in url:
        return ""
    return f"{url}/runs/flow-run/{run}"
