"""Pages for what cannot be shown: what happened, and what to do; no path, secret or stack."""

from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.responses import Response

from lake import errors
from lake.browser.ask import Ask
from lake.browser.document import encoded
from lake.browser.former import NOTHING, Former, Way
from lake.browser.render import render

_MISSING = (
    errors.NoSuchDataset,
    errors.NoSuchPartition,
    errors.NoSuchVersion,
    errors.InvalidName,
)
_WORDS: dict[type[errors.LakeError], tuple[int, str, str]] = {
    errors.LakeTooNew: (
        503,
        "Written by a newer Clearlake",
        "A newer version wrote this lake. Whoever runs this server upgrades it with"
        " pip install --upgrade clearlake.",
    ),
    errors.StoreRefused: (
        503,
        "The lake does not let us in",
        "Its store refuses this server's credentials: they may have expired. This page works again"
        " once they are renewed.",
    ),
    errors.StoreUnavailable: (
        503,
        "The lake cannot be reached",
        "Its store does not answer. Nothing is lost; this page works again once it does.",
    ),
    errors.LogDamaged: (
        503,
        "The lake's log is damaged",
        "Whoever looks after the lake runs lake verify, which says where.",
    ),
    errors.VersionExpired: (
        410,
        "No longer kept",
        "The garbage collector has deleted this version; newer ones are there.",
    ),
    errors.FileDamaged: (
        502,
        "A file is damaged",
        "Its bytes are not those that were landed: see its version's page. The rest is unaffected.",
    ),
    errors.NoSuchLake: (503, "No lake here", "There is no lake at the place this server looks at."),
}


def of(
    error: errors.LakeError, ask: Ask, former: Former = NOTHING, *, is_json: bool = False
) -> Response:
    """Return the page about an error of the lake's, or its JSON."""
    status, title, text = _told(error)
    text = former.text or text
    if is_json:
        said = {"status": status, "title": title, "text": text, "ways": former.ways}
        headers = {"Cache-Control": "no-store"}
        return Response(encoded(said), status, media_type="application/json", headers=headers)
    return page(status, title, text, back=ask.link("/"), ways=former.ways)


def _told(error: errors.LakeError) -> tuple[int, str, str]:
    for kind, said in _WORDS.items():
        if isinstance(error, kind):
            return said
    if isinstance(error, _MISSING):
        return 404, "Not there", _sentence(error)
    if isinstance(error, errors.InvalidAddress):
        return 400, "That cannot be", _sentence(error)
    return 500, "That went wrong", "The server's own output says what happened."


def page(
    status: int, title: str, text: str, *, back: str = "/", ways: Sequence[Way] = ()
) -> Response:
    """Return a page that says what cannot be shown, and `ways` to what can."""
    ask = Ask("/", {}, datetime.now(UTC))
    body = render("failure", ask, status=status, title=title, text=text, back=back, ways=ways)
    headers = {"Cache-Control": "no-store"}
    if status == 503:
        headers["Retry-After"] = "10"
    return Response(
        body.encode(errors="replace"),
        status,
        media_type="text/html; charset=utf-8",
        headers=headers,
    )


def _sentence(error: errors.LakeError) -> str:
    """Return what an error says as a sentence; what begins with a name is left as it is."""
    text = error.public
    first = text.partition(" ")[0]
    begun = f"{text[:1].upper()}{text[1:]}" if first.isalpha() else text
    return begun if begun.endswith(("?", ".")) else f"{begun}."
