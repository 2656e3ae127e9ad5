"""Pages for what cannot be shown: what happened, and what to do; no path, secret or stack."""

from collections.abc import Sequence
from dataclasses import replace

from starlette.responses import Response

from lake import errors
from lake.browser.ask import Ask
from lake.browser.document import encoded
from lake.browser.former import NOTHING, Former, Way
from lake.browser.render import render

_RETRY_S = {429: 5, 503: 10}
_LONGEST, _LONGEST_AT = 2000, 80
"""Characters of an address, and of a commit, a tag or a time, that links of the page repeat."""
_MISSING: dict[type[errors.LakeError], str] = {
    errors.NoSuchDataset: "No such dataset",
    errors.NoSuchPartition: "No such partition",
    errors.NoSuchVersion: "No such version or commit",
    errors.InvalidName: "No such name",
}
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


def of(error: errors.LakeError, ask: Ask, former: Former = NOTHING) -> Response:
    """Return the page about an error of the lake's, or its JSON where that was asked for."""
    status, title, text = _told(error)
    return page(status, title, former.text or text, ask, ways=former.ways)


def _told(error: errors.LakeError) -> tuple[int, str, str]:
    for kind, said in _WORDS.items():
        if isinstance(error, kind):
            return said
    for missing, title in _MISSING.items():
        if isinstance(error, missing):
            return 404, title, _sentence(error)
    if isinstance(error, errors.InvalidAddress):
        return 400, "The address says what cannot be", _sentence(error)
    return 500, "That went wrong", "The server's own output says what happened."


def page(
    status: int, title: str, text: str, ask: Ask, *, back: str = "", ways: Sequence[Way] = ()
) -> Response:
    """Return a page that says what cannot be shown, with ways to go on; of the lake it needs none.

    Args:
        status: of the answer; of what passes, the page tells when to ask again, and does.
        title: what happened.
        text: more of that, and what to do.
        ask: what was asked for; JSON is returned where that was.
        back: where the page leads back to; `""`: to the lake.
        ways: to what there is in its place.
    """
    retry_s = _RETRY_S.get(status, 0)
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": str(retry_s)} if retry_s else {})
    if ask.is_json:
        said = {"status": status, "title": title, "text": text, "ways": ways}
        return Response(encoded(said), status, media_type="application/json", headers=headers)
    ask = _harmless(ask)
    values = {"status": status, "title": title, "text": text, "retry_s": retry_s, "nav": ""}
    body = render("failure", ask, back=back or ask.link("/"), ways=ways, **values)
    return Response(
        body.encode(errors="replace"),
        status,
        media_type="text/html; charset=utf-8",
        headers=headers,
    )


def unknown(ask: Ask) -> Response:
    """Return the page of an address that means none."""
    text = "No page has this address: look whether it is written as it should be."
    return page(404, "No such page", text, ask)


def _harmless(ask: Ask) -> Ask:
    """Return what was asked for as links may hold it: short, and of this server."""
    path = f"/{ask.path.lstrip('/' + chr(92))}"  # two of them would begin another host's name
    at = ask.at if len(ask.at) <= _LONGEST_AT else ""
    is_long = len(path) + sum(map(len, ask.query.values())) > _LONGEST
    return replace(ask, path="/", query={}, at=at) if is_long else replace(ask, path=path, at=at)


def _sentence(error: errors.LakeError) -> str:
    """Return what an error says as a sentence; what begins with a name is left as it is."""
    text = error.public
    first = text.partition(" ")[0]
    begun = f"{text[:1].upper()}{text[1:]}" if first.isalpha() else text
    return begun if begun.endswith(("?", ".")) else f"{begun}."
