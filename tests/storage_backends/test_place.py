"""What a lake's URL may be, and what is quoted of one that it may not be."""

from pathlib import Path

import pytest

import lake
from lake.cli import main
from lake.config import load
from lake.errors import InvalidConfig
from lake.policy import policy
from storage_backends import Place, in_cloud, masked, open_store


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("S3://Old_Bucket/a b/", Place("s3", "Old_Bucket", "a b")),
        ("gs://a.b-c_d//x/y", Place("gs", "a.b-c_d", "x/y")),
        ("az://abc/me@home/%20", Place("az", "abc", "me@home/%20")),
        ("az://abc", Place("az", "abc", "")),
        ("/srv/lake", None),
        ("FILE:///srv/lake", None),
    ],
)
def test_a_url_names_a_bucket_and_a_prefix_or_a_folder(url: str, place: Place | None) -> None:
    assert in_cloud(url) == place


@pytest.mark.parametrize("sign", [*"?#*[]{}", "\n", "\x7f", "\x85"])
def test_a_prefix_that_others_would_read_as_more_than_a_prefix_is_refused(sign: str) -> None:
    for refused in (open_store, in_cloud):
        with pytest.raises(ValueError, match=r"its prefix holds .*, which none may"):
            refused(f"s3://bucket/a{sign}b")
    with pytest.raises(InvalidConfig, match=r"its prefix holds .*, which none may"):
        policy("reader", f"s3://bucket/a{sign}b")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("s3://ab", "'ab' can be no bucket's name"),
        ("gs://Upper/x", "'Upper' can be no bucket's name"),
        ("az://UPPER", "'UPPER' can be no container's name"),
        ("az://a--b", "'a--b' can be no container's name"),
        ("s3://b*t/x", "s3:// is followed by a bucket's name"),
    ],
)
def test_a_name_that_no_bucket_has_is_refused_before_anybody_is_asked(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        open_store(url)
    with pytest.raises(InvalidConfig, match=why):
        policy("writer", url)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://AKIA:SECRET@bucket/prod", "s3://…@bucket/prod"),
        ("s3://AKIA:a/SECRET@bucket/prod", "s3://…@bucket/prod"),
        ("s3:/AKIA:SECRET@bucket/prod", "s3:/…@bucket/prod"),
        ("az://abc/prod?sv=1&sig=SECRET", "az://abc/prod?…"),
        ("az://abc//prod?sv=1&sig=SECRET@x", "az://…@x"),
        ("ftp://me:SECRET@host/x#y", "ftp://…@host/x?…"),
    ],
)
def test_no_secret_in_a_url_is_said_again(
    url: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert masked(url) == told
    for words in (["ls", "--lake", url], ["init", url], ["init", "--policy", "reader", url]):
        assert main(words) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert told in err
        assert "SECRET" not in err
        assert err.count("\n") == 1


@pytest.mark.parametrize("path", ["/srv/a@b?c", "./s3/a#b", "~/x"])
def test_a_path_is_quoted_as_it_is(path: str) -> None:
    assert masked(path) == path


def test_a_url_that_lost_a_slash_makes_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lake.toml").write_text('[lake]\nurl = "s3:/bucket/x"\n')
    config = load(None, env=None, environ={}, cwd=tmp_path)
    with pytest.raises(InvalidConfig, match="two slashes belong behind s3:"):
        lake.open(config=config)
    with pytest.raises(InvalidConfig, match="two slashes belong behind s3:"):
        lake.init("s3:/bucket/x")
    assert [path.name for path in tmp_path.iterdir()] == ["lake.toml"]
