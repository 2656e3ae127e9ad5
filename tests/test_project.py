"""The shape of the project: which way imports go, what they cost, how long things are."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest

import lake
import lake_flows

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("lake", "storage_backends", "flows", "benchmarks")
HEAVY = ("duckdb", "pyarrow", "pandas", "boto3", "prefect", "sqlglot")
FORBIDDEN = {
    "storage_backends": {"lake", "lake_flows", "flows", "prefect", "benchmarks", "tests"},
    "lake": {"lake_flows", "flows", "prefect", "benchmarks", "tests"},
    "flows": {"benchmarks", "tests"},
}
FUNCTION_LINES = 40
FILE_LINES = 400
MACHINE_PATH = re.compile(rb"(?<![\w.~%}*-])/(?:work|root|home)/")


def python_files(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert found, f"no Python files in {folders}"
    return found


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def run_python(code: str, *, cwd: Path = ROOT) -> str:
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize("module", ["lake", "lake.cli"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    assert run_python(code) == ""


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_go_one_way(package: str) -> None:
    wrong = [
        f"{place(path, line)} imports {name}"
        for path in python_files(package)
        for line, name in imports(path)
        if name.split(".")[0] in FORBIDDEN[package]
    ]
    assert wrong == []


@pytest.mark.parametrize("init", [True, False], ids=["package", "plain folder"])
def test_a_users_own_flows_folder_beside_ours_breaks_neither(tmp_path: Path, init: bool) -> None:
    own = tmp_path / "flows"
    own.mkdir()
    (own / "nightly.py").write_text("import lake, lake_flows\nfrom flows.names import NAME\n")
    (own / "names.py").write_text("NAME = 'theirs'\n")
    if init:
        (own / "__init__.py").touch()
    code = (
        "import flows.nightly as n, lake_flows, lake;"
        " print(n.NAME, n.__file__, lake_flows.__file__, lake.__file__, sep='\\n')"
    )
    ours = [str(lake_flows.__file__), str(lake.__file__)]
    found = run_python(code, cwd=tmp_path).splitlines()
    assert found == ["theirs", str(own / "nightly.py"), *ours]


def test_every_public_name_of_lake_is_there_and_is_listed() -> None:
    listed = vars(lake)["__all__"]
    own = {
        name
        for name, value in vars(lake).items()
        if name[0] != "_" and str(getattr(value, "__module__", "")).split(".")[0] == "lake"
    }
    assert sorted(own - set(listed)) == []
    assert [name for name in listed if not hasattr(lake, name)] == []
    assert listed
    assert len(listed) == len(set(listed))


def whole_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a function's lines, its signature and docstring among them."""
    return (function.end_lineno or 0) - function.lineno + 1


def test_no_function_reaches_forty_lines() -> None:
    long = [
        f"{place(path, node.lineno)} {node.name} has {whole_lines(node)} lines"
        for path in python_files(*PACKAGES)
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and whole_lines(node) >= FUNCTION_LINES
    ]
    assert long == []


def test_no_file_is_over_four_hundred_lines() -> None:
    sizes = {path: len(path.read_bytes().splitlines()) for path in python_files(*PACKAGES)}
    assert [place(path, lines) for path, lines in sizes.items() if lines > FILE_LINES] == []


def is_broad(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {ast.unparse(kind) if kind else "BaseException" for kind in kinds}
    if "Exception" in names:
        return True
    # Cleaning up and passing on is no swallowing, also of a Ctrl-C.
    last = handler.body[-1]
    return "BaseException" in names and not (isinstance(last, ast.Raise) and last.exc is None)


def test_nothing_catches_every_exception() -> None:
    broad = [
        place(path, node.lineno)
        for path in python_files(*PACKAGES)
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler) and is_broad(node)
    ]
    assert broad == []


def test_no_test_mocks() -> None:
    mocks = ("unittest.mock", "mock.", "pytest_mock")
    found = [
        place(path, line)
        for path in python_files("tests")
        for line, name in imports(path)
        if f"{name}.".startswith(mocks)
    ]
    assert found == []


def test_no_test_sleeps() -> None:
    sleeps = ("time.sleep", "asyncio.sleep")
    called = [
        place(path, node.lineno)
        for path in python_files("tests")
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in sleeps
    ]
    imported = [
        place(path, line)
        for path in python_files("tests")
        for line, name in imports(path)
        if name in sleeps
    ]
    assert called + imported == []


def tracked_files() -> list[Path]:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is no git checkout, so what is tracked cannot be told")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]


def test_nothing_tracked_names_a_path_of_somebodys_machine() -> None:
    found = [
        place(path, number)
        for path in tracked_files()
        if path.name != "uv.lock"
        for number, line in enumerate(path.read_bytes().splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]
    assert found == []


@pytest.mark.xdist_group("one-worker")
def test_what_is_grouped_runs_on_one_worker(request: pytest.FixtureRequest) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.node.nodeid.endswith("@one-worker"), (
            "xdist groups nothing: see pyproject.toml"
        )


def test_nothing_lies_at_the_top_that_does_not_belong_there() -> None:
    """A file that a test left in the folder it ran in would be committed sooner or later."""
    folders = ".ci lake flows storage_backends tests localstack benchmarks"
    files = (
        "pyproject.toml uv.lock Makefile README.md ARCHITECTURE.md CONTRIBUTING.md CHANGELOG.md"
        " LICENSE .gitignore .dockerignore .pre-commit-config.yaml"
    )
    there = {path.relative_to(ROOT).parts[0] for path in tracked_files()}
    assert there <= {*folders.split(), *files.split()}


def test_what_is_imported_is_declared_or_comes_with_what_is() -> None:
    """A package that only the tests' own tools bring is missing where users install."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    said = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    here = {requirement(found.name): found for found in metadata.distributions()}
    brought: set[str] = set()
    left = [requirement(text) for text in said]
    while left:
        name = left.pop()
        if name not in brought:
            brought.add(name)
            needs = (here[name].requires or ()) if name in here else ()
            left += [requirement(text) for text in needs if "extra ==" not in text]
    owners = metadata.packages_distributions()
    ours = {"lake", "lake_flows", "flows", "storage_backends"}
    wrong = [
        f"{place(path, line)} imports {name}"
        for path in python_files("lake", "flows", "storage_backends")
        for line, name in imports(path)
        if (top := name.split(".")[0]) not in sys.stdlib_module_names | ours
        and not brought.intersection(map(requirement, owners.get(top, ())))
    ]
    assert wrong == []


def requirement(text: str) -> str:
    """Return the name of what is required, as distributions are called."""
    return re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0].lower().replace("_", "-")
