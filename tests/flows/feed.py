"""The event feed of the tests' Prefect server."""

from typing import Any

from prefect import get_client


def feed(which: dict[str, Any]) -> list[dict[str, Any]]:
    """Return up to 50 events that the server has written, newest first, by its own filter."""
    with get_client(sync_client=True) as client:
        answer = client.request("POST", "/events/filter", json={"filter": which, "limit": 50})
    return list(answer.json()["events"])
