from pathlib import Path

import pytest

from lake.config import Alerts, Mail, load
from lake.errors import InvalidConfig


def read(folder: Path, text: str) -> Alerts:
    (folder / "lake.toml").write_text(text)
    return load(None, env=None, environ={}, cwd=folder).alerts


def test_alerts_name_their_secrets(tmp_path: Path) -> None:
    text = """
[alerts]
webhook = "${HOOK}"
slack = { block = "ops" }
email = { to = ["a@example.com", "B <b@example.com>"], from = "lake@example.com", server = "${M}" }
"""
    mail = Mail(("a@example.com", "B <b@example.com>"), "lake@example.com", "${M}")
    assert read(tmp_path, text) == Alerts("${HOOK}", "block:ops", mail)


def test_who_gets_mail_sends_it_if_nobody_is_said(tmp_path: Path) -> None:
    said = read(tmp_path, 'alerts.email = { to = ["a@b.c"], server = "smtp://u:${P}@h:25" }')
    assert said.email
    assert said.email.sender == "a@b.c"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hook = 1", "knows no key 'hook': did you mean 'webhook'?"),
        ('webhook = "ops"', "webhook = 'ops' is no address: write https://…, ${NAME} or { block"),
        ('webhook = "${BAD NAME}"', "is no address"),
        ("webhook = { blok = 'x' }", 'a table here names a block: write { block = "NAME" }'),
        (
            'slack = "https://hooks.slack.com/services/T/B/hunter2"',
            'slack is a secret of Slack\'s: export it, and write slack = "${SLACK_URL}"',
        ),
        ('email = { server = "smtp://h" }', 'has to say to whom: write to = ["you@example.com"]'),
        ('email = { to = ["me"], server = "smtp://h" }', "'me' is no mail address"),
        ('email = { to = ["a@b.c"] }', "server = '' is no mail server: write smtp://HOST:PORT"),
        (
            'email = { to = ["a@b.c"], server = "https://h" }',
            "server = 'https://h' is no mail serv",
        ),
        ('email = { to = ["a@b.c"], server = "smtp://u:hunter2@h" }', "holds a secret"),
    ],
)
def test_what_cannot_be_told_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidConfig) as error:
        read(tmp_path, f"[alerts]\n{text}\n")
    assert said in str(error.value)
    assert "hunter2" not in str(error.value)


def test_the_browser_has_an_address(tmp_path: Path) -> None:
    (tmp_path / "lake.toml").write_text('[lake]\nbrowser = "lake.example"\n')
    with pytest.raises(
        InvalidConfig, match=r"browser = 'lake\.example' is no address: write one as"
    ):
        load(None, env=None, environ={}, cwd=tmp_path)
