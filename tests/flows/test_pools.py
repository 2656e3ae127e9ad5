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
SECRET = "not-to-be-seen"
"""What the secret holds where it is deployed from."""
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
    module, _, worker_name = WORKERS[kind].partition(":")
    worker = getattr(import_module(module), worker_name)
    async with get_client() as client:
        deployment = await client.read_deployment_by_name(f"elt/{name}")
        run = await client.create_flow_run_from_deployment(deployment.id)
        flow = await client.read_flow(deployment.flow_id)
        pool = await client.read_work_pool(name)
        made = await worker.job_configuration.from_template_and_values(
            base_job_template=pool.base_job_template, values=deployment.job_variables, client=client
        )
        made.prepare_for_flow_run(run, deployment, flow)
    found: dict[str, Any] = json.loads(made.model_dump_json())
    if kind == "ecs":
        found |= _sent_to_ecs(worker(work_pool_name=name), made, run)
    return found


def _sent_to_ecs(worker: Any, made: Any, run: Any) -> dict[str, Any]:
    """Return the two requests that the worker itself would send to AWS."""
    task = worker._prepare_task_definition(made, region="eu-west-1", flow_run=run)
    # It would ask AWS for a network, were there none.
    made.task_run_request["networkConfiguration"] = {"awsvpcConfiguration": {"subnets": ["s-1"]}}
    return {"task": task, "request": worker._prepare_task_run_request(made, task, "arn:task")}


def _values(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {one["name"]: one["value"] for one in entries if "value" in one}


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
def test_ecs_gets_a_task_with_secrets_by_name(
    rendered: Callable[[str], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", SECRET)
    job = rendered("ecs")
    (container,) = job["task"]["containerDefinitions"]
    assert container["image"] == IMAGE
    arn = "arn:aws:secretsmanager:eu:1:secret:pg"
    assert container["secrets"] == [{"name": "PGPASSWORD", "valueFrom": arn}]
    assert (job["task"]["cpu"], job["task"]["memory"]) == ("1024", "2048")
    (asked,) = job["request"]["overrides"]["containerOverrides"]
    assert asked["name"] == container["name"]
    assert asked["command"] == RUN
    assert _values(asked["environment"])["LAKE_ENV"] == "prod"
    assert "PGPASSWORD" not in _values(asked["environment"])
    assert SECRET not in json.dumps(job)


@pytest.mark.usefixtures("prefect_server")
def test_cloud_run_gets_a_job_with_secrets_by_name(
    rendered: Callable[[str], dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", SECRET)
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
    named = {one["name"]: one["valueSource"] for one in container["env"] if "valueSource" in one}
    assert named == {"PGPASSWORD": {"secretKeyRef": {"secret": "pg", "version": "latest"}}}
    assert _values(container["env"])["LAKE_ENV"] == "prod"
    assert "PGPASSWORD" not in _values(container["env"])
    assert SECRET not in json.dumps(body["job_body"])
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
