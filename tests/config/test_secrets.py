from pathlib import Path

import pytest

from lake.config import expand, recorded
from lake.config.secrets import resolved
from lake.errors import InvalidConfig


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://ada:pw@h:80/a/b.csv?x=1#frag", "https://h:80/a/b.csv?x=1"),
        ("https://h/x?page=2&token=t&api_key=k&key=k", "https://h/x?page=2"),
        ("https://h/x?X-Amz-Signature=s&X-Amz-Credential=c&X-Amz-Date=d", "https://h/x"),
        ("https://h/x?sv=1&se=2&sp=r&sig=3&month=2024-01", "https://h/x?month=2024-01"),
        (
            "https://h/x?X-Goog-Algorithm=a&X-Goog-Signature=s&X-Goog-Expires=9&v=1",
            "https://h/x?v=1",
        ),
        (
            "https://h/x?skoid=1&sktid=2&skt=3&ske=4&sks=b&skv=5&sr=b&st=6&spr=7&a=1",
            "https://h/x?a=1",
        ),
        (
            "https://h/x?AWSAccessKeyId=a&Signature=b&Expires=9&versionId=7",
            "https://h/x?versionId=7",
        ),
        ("https://h/x?apikey=1&API-KEY=2&access_token=3&password=4&jwt=5&p=6", "https://h/x?p=6"),
        ("https://h/x?t%6Fken=1&%74oken=2&a=1", "https://h/x?a=1"),
        ("https://h/x?a=1;token=t&b=2", "https://h/x?b=2"),
        ("https://ada:p@w@h/x", "https://h/x"),
        ("https://h/x?monkey=1&session=2&design=3", "https://h/x?session=2&design=3"),
        ("http://[bad", "(no URL)"),
    ],
)
def test_what_is_recorded_holds_no_secret(url: str, kept: str) -> None:
    assert recorded(url) == kept


def test_a_variable_is_looked_up() -> None:
    assert expand("a${B}c${B}", {"B": "${C}"}) == "a${C}c${C}"


@pytest.mark.parametrize("text", ["${}", "${A B}", "${A", "${1}"])
def test_a_variable_without_a_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfig, match=r"names no variable: write \$\{NAME\}$"):
        expand(text, {"A": "1"})


def test_a_secret_of_a_kind_is_looked_up_by_whoever_knows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = tmp_path / "vault-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Name: vault\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[lake.secrets]\nvault = vault_of_test:look_up\n")
    (tmp_path / "vault_of_test.py").write_text(
        "def look_up(name):\n    return f'secret of {name}'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert resolved({"vault": "shop"}, {}) == "secret of shop"
    assert resolved("a${B}", {"B": "c"}) == "ac"


def test_a_kind_of_secret_that_nobody_knows_is_refused() -> None:
    with pytest.raises(InvalidConfig, match=r"^\{ safe = 'x' \}: nothing that is installed knows"):
        resolved({"safe": "x"}, {})
