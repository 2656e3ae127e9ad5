"""What all tasks have in common: small results that are kept, retries where they are safe."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import duckdb
from prefect import Task, task
from prefect.cache_policies import INPUTS, TASK_SOURCE
from prefect.client.schemas.objects import State, TaskRun

from lake.errors import (
    CommitUnknown,
    LakeError,
    SeveralFailed,
    SourceIncomplete,
    StoreRefused,
    StoreUnavailable,
    VersionConflict,
    WarehouseLocked,
)

P = ParamSpec("P")
R = TypeVar("R")

RETRIES = 3
DELAYS_S = [1.0, 10.0, 60.0]
TRANSIENT = (
    CommitUnknown,
    ConnectionError,
    SourceIncomplete,
    StoreUnavailable,
    TimeoutError,
    VersionConflict,
    WarehouseLocked,
)


def step(name: str) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Make a function a task, called `name` in the UI: a template over its arguments.

    Its result is kept under its arguments, which name the run: a flow run that is retried goes on
    behind the last task that finished. An argument `at` (the time) is no part of that. The result
    must be JSON. What fails is raised: Prefect would keep a `Failed` state that a task returns,
    and take it for done the next time.
    """
    made = task(
        task_run_name=name,
        persist_result=True,
        result_serializer="json",
        cache_policy=(INPUTS - "at") + TASK_SOURCE,
        # One more than are used: where they run out, Prefect logs a traceback.
        retries=RETRIES + 1,
        retry_delay_seconds=DELAYS_S,
        retry_jitter_factor=0.5,
        retry_condition_fn=may_pass,
    )
    return lambda function: made(hushed(function))


def hushed(function: Callable[P, R]) -> Callable[P, R]:
    """Let a task fail without values of the data: Prefect keeps what its error says."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except LakeError as error:
            raise error.hush() from None
        except duckdb.Error as error:
            raise LakeError(
                f"DuckDB failed ({type(error).__name__}): the verb of `lake` by hand shows at what"
            ) from None

    return run


def may_pass(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    """Tell whether a task that failed is worth another try."""
    error = outcome(state)
    return run.run_count <= RETRIES and isinstance(error, Exception) and is_transient(error)


def is_transient(error: Exception) -> bool:
    """Tell whether an error may go away by itself; all that raises such is safe to try again."""
    if isinstance(error, SeveralFailed):
        return any(map(is_transient, error.errors))
    return isinstance(error, TRANSIENT) and not isinstance(error, StoreRefused)


def outcome(state: State[Any]) -> Any:
    """Return what a task returned, or the error that it failed with."""
    return state.result(raise_on_failure=False)
