"""The jobs that pools of containers would run, from deployments that a server really has."""

import asyncio
import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate

from lake_flows.pools import WORKERS, main, template
from tests.flows.project import Deploy, Project

pytestmark = pytest.mark.xdist_group("prefect")

IMAGE = "registry.example.com/lake-worker:1"
RUN = ["prefect", "flow-run", "execute"]
ENV = 'env = { LAKE_ENV = "prod" }'
SAID = {
    "docker": f'{{ {ENV}, mem_limit = "2g" }}',
    "kubernetes": f"""{{ {ENV}, env_from = [{{ secretRef = {{ name = "lake" }} }}],
        cpu_request = "500m", memory_limit = "2Gi" }}""",
    "ecs": f"""{{ {ENV}, cpu = 1024, memory = 2048, secrets = [
        {{ name = "PGPASSWORD", valueFrom = "arn:aws:secretsmanager:eu:1:secret:pg" }}] }}""",
    "cloud-run-v2": f"""{{ {ENV}, cpu = "1000m", memory = "2Gi", env_from_secrets = {{
        PGPASSWORD = {{ secret = "pg", version = "latest" }} }} }}""",
}
DEPLOYMENT = """
[deployments.NAME]
flow = "elt"
work_pool = "POOL"
image = "IMAGE"
job_variables = SAID
"""


@pytest.fixture
def rendered(project: Project, deploy: Deploy) -> Callable[[str], dict[str, Any]]:
    """Deploy to a new pool of a type; return the job that its worker would run."""

    def rendered(kind: str) -> dict[str, Any]:
        name = f"{kind}-{project.root.name}".replace("_", "-")
        with get_client(sync_client=True) as client:
            client.create_work_pool(
                WorkPoolCreate(name=name, type=kind, base_job_template=template(kind))
            )
        text = DEPLOYMENT.replace("NAME", name).replace("POOL", name).replace("IMAGE", IMAGE)
        path = project.root / "lake.toml"
        path.write_text(path.read_text() + text.replace("SAID", " ".join(SAID[kind].split())))
        code, _, err = deploy()
        assert (code, f"no worker polls the work pool {name}" in err) == (0, True), err
        return asyncio.run(_job(kind, name))

    return rendered


async def _job(kind: str, name: str) -> dict[str, Any]:
    module, _, worker = WORKERS[kind].partition(":")
    configuration = getattr(import_module(module), worker).job_configuration
    async with get_client() as client:
        deployment = await client.read_deployment_by_name(f"elt/{name}")
        run = await client.create_flow_run_from_deployment(deployment.id)
        flow = await client.read_flow(deployment.flow_id)
        pool = await client.read_work_pool(name)
        made = await configuration.from_template_and_values(
            base_job_template=pool.base_job_template, values=deployment.job_variables, client=client
        )
        made.prepare_for_flow_run(run, deployment, flow)
    found: dict[str, Any] = json.loads(made.model_dump_json())
    return found


@pytest.mark.usefixtures("prefect_server")
def test_docker_runs_the_image(rendered: Callable[[str], dict[str, Any]]) -> None:
    job = rendered("docker")
    assert (job["image"], job["mem_limit"]) == (IMAGE, "2g")
    assert job["command"].split() == RUN
    assert job["env"]["LAKE_ENV"] == "prod"


@pytest.mark.usefixtures("prefect_server")
def test_kubernetes_gets_a_manifest_with_secrets_by_name(
    rendered: Callable[[str], dict[str, Any]],
) -> None:
    manifest = rendered("kubernetes")["job_manifest"]
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["args"]) == (IMAGE, RUN)
    assert container["envFrom"] == [{"secretRef": {"name": "lake"}}]
    assert {"name": "LAKE_ENV", "value": "prod"} in container["env"]
    assert container["resources"] == {"requests": {"cpu": "500m"}, "limits": {"memory": "2Gi"}}


@pytest.mark.usefixtures("prefect_server")
def test_ecs_gets_a_task_with_secrets_by_name(rendered: Callable[[str], dict[str, Any]]) -> None:
    job = rendered("ecs")
    (container,) = job["task_definition"]["containerDefinitions"]
    assert container["image"] == IMAGE
    assert [one["name"] for one in container["secrets"]] == ["PGPASSWORD"]
    assert container["secrets"][0]["valueFrom"].startswith("arn:aws:secretsmanager:")
    assert job["task_definition"]["cpu"] == 1024
    assert job["task_definition"]["memory"] == 2048
    assert job["env"]["LAKE_ENV"] == "prod"
    assert job["command"].split() == RUN


@pytest.mark.usefixtures("prefect_server")
def test_cloud_run_gets_a_job_with_secrets_by_name(
    rendered: Callable[[str], dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    account = {
        "type": "service_account",
        "client_email": "worker@acme.example",
        "private_key": key.decode(),
        "project_id": "acme",
        "token_uri": "https://localhost/token",
    }
    (tmp_path / "account.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    body = rendered("cloud-run-v2")
    (container,) = body["job_body"]["template"]["template"]["containers"]
    assert container["image"] == IMAGE
    assert body["env_from_secrets"] == {"PGPASSWORD": {"secret": "pg", "version": "latest"}}
    assert container["resources"]["limits"] == {"cpu": "1000m", "memory": "2Gi"}
    assert container["command"] == RUN


def test_a_template_is_printed_and_a_missing_package_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["kubernetes"]) == 0
    assert "env_from" in json.loads(capsys.readouterr().out)["variables"]["properties"]
    monkeypatch.setitem(WORKERS, "docker", "prefect_nowhere.worker:Worker")
    assert main(["docker"]) == 1
    assert capsys.readouterr().err == (
        "error: a pool of type docker needs prefect-nowhere: pip install prefect-nowhere\n"
    )


def test_the_image_is_locked_and_not_root() -> None:
    root = Path(__file__).parents[2]
    lines = [
        line.split(maxsplit=1)
        for line in (root / "flows" / "Dockerfile").read_text().split("\n")
        if line and not line.startswith("#")
    ]
    images = [rest.split()[0] for word, rest in lines if word == "FROM"]
    assert all(":" in image and not image.endswith(":latest") for image in images)
    assert [rest for word, rest in lines if word == "USER"] == ["10001"]
    copied = [rest for word, rest in lines if word == "COPY" and not rest.startswith("--from")]
    given = {path for rest in copied for path in rest.split()[:-1]}
    assert all((root / path).exists() for path in given)
    let_in = {line[1:] for line in (root / ".dockerignore").read_text().split() if line[0] == "!"}
    assert given == let_in
    runs = " ".join(rest for word, rest in lines if word == "RUN")
    assert "uv export --frozen --no-dev" in runs
