"""Where alerts go: webhooks, Slack, mail; each as the action of an automation."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias
from urllib.parse import urlsplit
from uuid import UUID

from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import PrefectClient
from prefect.events.actions import ActionTypes, CallWebhook, RunDeployment
from prefect.exceptions import ObjectNotFound
from prefect.types import SecretDict
from pydantic import SecretStr

from lake.config import Alerts, expand, is_named
from lake.errors import InvalidConfig
from lake_flows.automations import Step, What

_JSON = SecretDict({"Content-Type": "application/json"})
_ESCAPED = "replace('&', '&amp;') | replace('<', '&lt;') | replace('>', '&gt;')"


@dataclass(frozen=True, slots=True)
class Words:
    """What an automation says, in templates of Jinja.

    Attributes:
        subject, text: with `{{ … }}` for what the event knows.
        kinds, news: expressions for the kinds of news, and for the news as documents.
    """

    subject: str
    text: str
    kinds: str
    news: str = "[]"


Sink: TypeAlias = Callable[[Words], ActionTypes]
"""Where news goes: makes the action of an automation from what it is to say."""


async def webhooks(
    client: PrefectClient, lake_id: str, alerts: Alerts, *, is_plan: bool
) -> tuple[list[Sink], list[Step]]:
    """Return the sinks that the server calls by itself, and what became of their addresses.

    These lie in the server's blocks; no step says what they are.

    Args:
        client: asks the server.
        lake_id: which the names of the blocks end with.
        alerts: what `lake.toml` says; variables are looked up here, for the server to keep.
        is_plan: write nothing.

    Raises:
        InvalidConfig: a variable is not set or holds no address, or there is no such block.
    """
    said = {"webhook": alerts.webhook, "slack": alerts.slack}
    sinks: list[Sink] = []
    steps: list[Step] = []
    for key, url in said.items():
        if url:
            name = url.removeprefix("block:") if is_named(url) else f"lake-{key}-{slug(lake_id)}"
            wanted = None if is_named(url) else _address(key, expand(url, os.environ))
            block, what = await _block(client, name, wanted, is_plan=is_plan)
            sinks.append(partial(_call, block, _PAYLOADS[key]))
            steps.append(Step(what, f"block webhook/{name}"))
    return sinks, [step for step in steps if step.what != "unchanged"]


def _address(key: str, url: str) -> str:
    """Return the address of a webhook, if it is one; it may be a secret, so no message says it."""
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_whole = False
    if not is_whole:
        raise InvalidConfig(f"[alerts] {key} holds no http:// or https:// address: correct it")
    return url


def slug(lake_id: str) -> str:
    """Return a lake's id as part of a block's name."""
    return re.sub("[^a-z0-9]+", "-", lake_id.lower()).strip("-")


async def _block(
    client: PrefectClient, name: str, url: str | None, *, is_plan: bool
) -> tuple[UUID, What]:
    """Keep a URL in a block of the server, if one is given; return the block's id."""
    try:
        kept = await client.read_block_document_by_name(name, "webhook", include_secrets=True)
    except ObjectNotFound as exc:
        if url is None:
            raise InvalidConfig(
                f"[alerts] there is no Webhook block {name!r}: make it in the UI, or name the"
                " address as ${NAME}"
            ) from exc
        kept = None
    if kept and (url is None or kept.data.get("url") == url):
        return kept.id, "unchanged"
    what: What = "change" if kept else "create"
    if is_plan:
        return kept.id if kept else UUID(int=0), what
    block = Webhook(url=SecretStr(url or ""), headers=_JSON)
    return await block.asave(name, overwrite=True, client=client), what


def _call(block: UUID, payload: Callable[[Words], str], words: Words) -> ActionTypes:
    return CallWebhook(block_document_id=block, payload=payload(words))


def _document(words: Words) -> str:
    """Return the template of the JSON document that a webhook gets."""
    return (
        f'{{"subject": {_quoted(words.subject)}, "text": {_quoted(words.text)},'
        f' "kinds": {{{{ {words.kinds} | tojson }}}}, "news": {{{{ {words.news} | tojson }}}}}}'
    )


def _slack(words: Words) -> str:
    """Return the template of a message of Slack's, in which three characters mean something."""
    whole = f"{{% set text %}}*{words.subject}*\n{words.text}{{% endset %}}"
    return f'{whole}{{"text": {{{{ text | string | {_ESCAPED} | tojson }}}}}}'


_PAYLOADS = {"webhook": _document, "slack": _slack}


def _quoted(template: str) -> str:
    return f"{{% set text %}}{template}{{% endset %}}{{{{ text | string | tojson }}}}"


def mail(deployment: UUID) -> Sink:
    """Return the sink that runs the deployment of the flow `alert`, which mails."""

    def action(words: Words) -> ActionTypes:
        texts = {"subject": words.subject, "text": words.text}
        return RunDeployment(
            source="selected",
            job_variables=None,
            deployment_id=deployment,
            parameters={
                key: {"__prefect_kind": "jinja", "template": text} for key, text in texts.items()
            },
        )

    return action
