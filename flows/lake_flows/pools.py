"""`python -m lake_flows.pools TYPE`: the template of a work pool whose jobs name their secrets.

The default templates of Kubernetes and ECS take plain values only. These take a job variable more:
`env_from` (Kubernetes) and `secrets` (ECS), as the manifests of the two spell them.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

WORKERS = {
    "docker": "prefect_docker.worker:DockerWorker",
    "kubernetes": "prefect_kubernetes.worker:KubernetesWorker",
    "ecs": "prefect_aws.workers.ecs_worker:ECSWorker",
    "cloud-run-v2": "prefect_gcp.workers.cloud_run_v2:CloudRunWorkerV2",
}
_LIST = {"type": "array", "items": {"type": "object"}, "default": []}
_ENV_FROM = _LIST | {
    "title": "Environment from secrets",
    "description": 'Secrets and config maps by name: [{"secretRef": {"name": "lake"}}].',
}
_SECRETS = _LIST | {
    "title": "Secrets",
    "description": 'Of the secrets manager: [{"name": "PGPASSWORD", "valueFrom": "arn:…"}].',
}


def template(kind: str) -> dict[str, Any]:
    """Return the base job template of a type of work pool.

    Raises:
        ModuleNotFoundError: the package of this type, such as prefect-kubernetes, is not installed.
    """
    module, _, name = WORKERS[kind].partition(":")
    made: dict[str, Any] = getattr(import_module(module), name).get_default_base_job_template()
    job, variables = made["job_configuration"], made["variables"]["properties"]
    if kind == "kubernetes":
        container = job["job_manifest"]["spec"]["template"]["spec"]["containers"][0]
        container["envFrom"] = "{{ env_from }}"
        variables["env_from"] = _ENV_FROM
    elif kind == "ecs":
        job["task_definition"]["containerDefinitions"][0]["secrets"] = "{{ secrets }}"
        variables["secrets"] = _SECRETS
    return made


def main(words: Sequence[str] | None = None) -> int:
    """Print a template; 1 if its package is not installed."""
    parser = argparse.ArgumentParser(prog="python -m lake_flows.pools", description=__doc__)
    parser.add_argument("type", choices=WORKERS)
    kind = parser.parse_args(words).type
    try:
        found = template(kind)
    except ModuleNotFoundError:
        package = WORKERS[kind].partition(".")[0].replace("_", "-")
        sys.stderr.write(f"error: a pool of type {kind} needs {package}: pip install {package}\n")
        return 1
    sys.stdout.write(f"{json.dumps(found, indent=2)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
