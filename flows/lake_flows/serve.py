"""`lake deploy --serve`: run the deployments from this process, on this machine."""

import asyncio
import signal
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner


class _Deployed(RunnerDeployment):
    """A deployment that the server has already: the runner need not make it."""

    id: UUID

    async def aapply(self, *_: Any, **__: Any) -> UUID:
        return self.id


async def serve(deployments: Mapping[UUID, str], *, limit: int | None = None) -> None:
    """Run what is scheduled of some deployments, each run in a process of its own.

    SIGINT drains: nothing new is begun, and what runs is waited for; a second one stops it.
    Schedules are not paused on the way out: what became due meanwhile runs at the next start.

    Args:
        deployments: their ids, with their names.
        limit: how many runs may be under way at once.
    """
    runner = Runner(name="lake", pause_on_shutdown=False, limit=limit)
    for number, path in deployments.items():
        await runner.aadd_deployment(
            _Deployed(name=path.partition("/")[2], flow_name=None, id=number)
        )
    loop = asyncio.get_running_loop()

    def drain() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        # Ends the polling only: the runner waits for its runs on the way out.
        runner._loops_task_group.cancel_scope.cancel()

    loop.add_signal_handler(signal.SIGINT, drain)
    await runner.start()
