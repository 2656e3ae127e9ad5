"""What the server of `bigquery_server` holds: datasets, tables and jobs, in DuckDB."""

import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from lake.query.sql import identifier, literal

_BACK = {
    "BOOLEAN": "BOOL",
    "BIGINT": "INT64",
    "INTEGER": "INT64",
    "HUGEINT": "INT64",
    "DOUBLE": "FLOAT64",
    "VARCHAR": "STRING",
    "BLOB": "BYTES",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP": "DATETIME",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
    "JSON": "JSON",
}
_LEGACY = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}
_WIDER = {"INT64": ("NUMERIC", "BIGNUMERIC", "FLOAT64"), "NUMERIC": ("BIGNUMERIC", "FLOAT64")}
_PLAIN = {"NUMERIC": "DECIMAL(38,9)", "BIGNUMERIC": "DECIMAL(38,10)"}
_DESCRIPTION = re.compile(
    r"SET OPTIONS \(description ?= ?(?:'((?:\\.|[^'\\])*)'|\"(.*)\")\)", re.DOTALL
)
ABORTED = (
    "Transaction is aborted due to concurrent update against table p:d._lake_tables. Transaction"
    " ID: 65f1"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHANGES = (exp.Create, exp.Drop, exp.Alter, exp.Command)


class Refused(Exception):
    """What BigQuery answers instead."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message


@dataclass
class Known:
    """What DuckDB does not keep of a table: `oid` tells one that was made anew."""

    oid: int
    created: float = field(default_factory=time.time)
    said: dict[str, Any] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)
    changes: int = 0


class Engine:
    """Projects, each an attached DuckDB; a job runs to its end before it is answered."""

    def __init__(self) -> None:
        self.database = duckdb.connect()
        self.known: dict[tuple[str, str, str], Known] = {}
        self.jobs: dict[tuple[str, str], dict[str, Any]] = {}
        self.aborting = False
        self._lock = threading.Lock()

    def attach(self, project: str, dataset: str) -> None:
        self.database.execute(f"ATTACH ':memory:' AS {identifier(project)}")
        self.database.execute(f"CREATE SCHEMA {identifier(project)}.{identifier(dataset)}")

    def by_hand(self, project: str, dataset: str, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements of DuckDB's in a project, which calls tables as BigQuery does."""
        with self._cursor() as cursor:
            cursor.execute(f"USE {identifier(project)}.{identifier(dataset)}")
            return [row for one in statements for row in cursor.execute(one).fetchall()]

    def dataset(self, project: str, dataset: str) -> dict[str, Any]:
        with self._cursor() as cursor:
            found = cursor.execute(
                "SELECT 1 FROM duckdb_schemas() WHERE database_name = ? AND schema_name = ?",
                [project, dataset],
            ).fetchall()
        if not found:
            raise Refused(404, "notFound", f"Not found: Dataset {project}:{dataset}")
        reference = {"projectId": project, "datasetId": dataset}
        known = {"datasetReference": reference, "location": "EU"}
        return known | ({"defaultTableExpirationMs": "86400000"} if dataset == "brief" else {})

    def make_dataset(self, project: str, said: dict[str, Any]) -> dict[str, Any]:
        dataset = said["datasetReference"]["datasetId"]
        with self._cursor() as cursor:
            try:
                cursor.execute(f"CREATE SCHEMA {identifier(project)}.{identifier(dataset)}")
            except duckdb.CatalogException as exc:
                raise Refused(409, "duplicate", f"Already Exists: Dataset {dataset}") from exc
        return self.dataset(project, dataset)

    def table(self, project: str, dataset: str, table: str) -> dict[str, Any]:
        known = self._known(project, dataset, table)
        fields = [_field(one, type_, known.descriptions) for one, type_ in known.types.items()]
        reference = {"projectId": project, "datasetId": dataset, "tableId": table}
        return known.said | {
            "tableReference": reference,
            "etag": f"{known.oid}.{known.changes}",
            "schema": {"fields": fields},
            "creationTime": str(int(known.created * 1000)),
        }

    def make_table(self, project: str, dataset: str, said: dict[str, Any]) -> dict[str, Any]:
        self.dataset(project, dataset)
        table = said["tableReference"]["tableId"]
        types = {one["name"]: _spelt(one) for one in said["schema"]["fields"]}
        listed = ", ".join(f"{identifier(one)} {_duckdb(type_)}" for one, type_ in types.items())
        with self._cursor() as cursor, self._lock:
            try:
                cursor.execute(f"CREATE TABLE {_name(project, dataset, table)} ({listed})")
            except duckdb.CatalogException as exc:
                raise Refused(409, "duplicate", f"Already Exists: Table {table}") from exc
            known = Known(self._oid(cursor, project, dataset, table)[0], types=types)
            known.said = {key: said[key] for key in ("description", "labels") if key in said}
            known.said |= {"type": "TABLE", "expirationTime": said.get("expirationTime")}
            fields = said["schema"]["fields"]
            known.descriptions = {f["name"]: f.get("description", "") for f in fields}
            self.known[project, dataset, table] = known
            self._describe(cursor, (project, dataset, table), said.get("description"))
        return self.table(project, dataset, table)

    def drop(self, project: str, dataset: str, table: str) -> dict[str, Any]:
        self._known(project, dataset, table)
        with self._cursor() as cursor:
            cursor.execute(f"DROP TABLE {_name(project, dataset, table)}")
        return {}

    def begin(self, project: str, said: dict[str, Any], data: bytes = b"") -> dict[str, Any]:
        """Take a job, whose name nobody may have used, and run it."""
        job_id = said["jobReference"]["jobId"]
        with self._lock:
            if (project, job_id) in self.jobs:
                raise Refused(409, "duplicate", f"Already Exists: Job {project}:{job_id}")
            job = said | {"status": {"state": "RUNNING"}, "statistics": {}}
            job["jobReference"] |= {"projectId": project, "location": "EU"}
            self.jobs[project, job_id] = job
        begun: dict[str, Any] = dict(job)
        status: dict[str, Any] = {"state": "DONE"}
        try:
            job["result"] = self._run(job, data)
        except (duckdb.Error, Refused) as exc:
            lost = "notFound" if isinstance(exc, duckdb.CatalogException) else "invalidQuery"
            reason = exc.reason if isinstance(exc, Refused) else lost
            error = {"reason": reason, "location": "query", "message": f"{_said(exc)} at [3:1]"}
            status |= {"errorResult": error, "errors": [error]}
        job["status"] = status
        return begun

    def job(self, project: str, job_id: str) -> dict[str, Any]:
        if (project, job_id) not in self.jobs:
            raise Refused(404, "notFound", f"Not found: Job {project}:{job_id}")
        job = self.jobs[project, job_id]
        return {key: value for key, value in job.items() if key != "result"}

    def results(self, project: str, job_id: str) -> dict[str, Any]:
        job = self.job(project, job_id)
        if error := job["status"].get("errorResult"):
            code = 404 if error["reason"] == "notFound" else 400
            raise Refused(code, error["reason"], error["message"])
        fields, rows = self.jobs[project, job_id]["result"]
        answer = {"jobReference": job["jobReference"], "jobComplete": True}
        return answer | {"totalRows": str(len(rows)), "schema": {"fields": fields}, "rows": rows}

    def _run(self, job: dict[str, Any], data: bytes) -> Any:
        if "load" in job["configuration"]:
            return self._load(job["configuration"]["load"], data)
        text = job["configuration"]["query"]["query"]
        with self._cursor() as cursor:
            is_open = False
            for statement in filter(None, sqlglot.parse(text, read="bigquery")):
                self._execute(cursor, statement, is_open)
                is_open = is_open or isinstance(statement, exp.Transaction)
            return _rows(cursor)

    def _execute(
        self, cursor: duckdb.DuckDBPyConnection, statement: exp.Expr, is_open: bool
    ) -> None:
        if isinstance(statement, _CHANGES):
            if is_open:
                raise Refused(400, "invalidQuery", "DDL is not supported in a transaction")
            self._change(cursor, statement)
            return
        if isinstance(statement, exp.Commit) and self.aborting:
            raise Refused(400, "invalidQuery", ABORTED)
        cursor.execute(statement.transform(_plain).sql("duckdb", identify=True))

    def _change(self, cursor: duckdb.DuckDBPyConnection, statement: exp.Expr) -> None:
        text = statement.sql("bigquery")
        named = re.match(r"ALTER TABLE `([^`]+)`\.`([^`]+)`\.`([^`]+)` (.*)", text, re.DOTALL)
        assert named, text
        where, rest = (named[1], named[2], named[3]), named[4]
        known = self._known(*where)
        known.changes += 1
        if said := _DESCRIPTION.search(rest):
            words = re.sub(r"\\(.)", lambda e: {"n": "\n"}.get(e[1], e[1]), said[1])
            column = re.match(r"ALTER COLUMN `([^`]+)`", rest)
            if column:
                known.descriptions[column[1]] = words
            else:
                self._describe(cursor, where, words)
            return
        for action in statement.args["actions"]:
            column, is_new = action.name, isinstance(action, exp.ColumnDef)
            type_ = action.args["kind" if is_new else "dtype"].sql("bigquery")
            how = "ADD COLUMN IF NOT EXISTS {} {}" if is_new else "ALTER COLUMN {} SET DATA TYPE {}"
            if not is_new:
                _refuse_narrower(known.types[column], type_)
            if not is_new or column not in known.types:
                known.types[column] = type_
            change = how.format(identifier(column), _duckdb(type_))
            cursor.execute(f"ALTER TABLE {_name(*where)} {change}")

    def _describe(
        self, cursor: duckdb.DuckDBPyConnection, where: tuple[str, str, str], words: str | None
    ) -> None:
        self.known[where].said["description"] = words
        cursor.execute(f"COMMENT ON TABLE {_name(*where)} IS {literal(words)}")

    def _load(self, said: dict[str, Any], data: bytes) -> Any:
        into = said["destinationTable"]
        where = (into["projectId"], into["datasetId"], into["tableId"])
        known = self._known(*where)
        assert (said["writeDisposition"], said["sourceFormat"]) == ("WRITE_APPEND", "PARQUET")
        with self._cursor() as cursor, tempfile.NamedTemporaryFile(suffix=".parquet") as file:
            file.write(data)
            file.flush()
            source = f"read_parquet({literal(file.name)})"
            for column, type_, *_ in cursor.execute(f"DESCRIBE FROM {source}").fetchall():
                if _loaded(type_) != known.types[column]:
                    text = f"Provided Schema does not match Table: {column} is {type_}"
                    raise Refused(400, "invalid", text)
            cursor.execute(f"INSERT INTO {_name(*where)} BY NAME FROM {source}")
        return [], []

    def _known(self, project: str, dataset: str, table: str) -> Known:
        where = (project, dataset, table)
        with self._cursor() as cursor, self._lock:
            oid, kind = self._oid(cursor, *where)
            if where not in self.known or self.known[where].oid != oid:
                columns = cursor.execute(
                    "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = ?"
                    " AND schema_name = ? AND table_name = ? ORDER BY column_index",
                    [*where],
                ).fetchall()
                types = {one: _back(type_) for one, type_ in columns}
                self.known[where] = Known(oid, said={"type": kind}, types=types)
            return self.known[where]

    def _oid(
        self, cursor: duckdb.DuckDBPyConnection, project: str, dataset: str, table: str
    ) -> tuple[int, str]:
        found = cursor.execute(
            "SELECT table_oid, 'TABLE' FROM duckdb_tables() WHERE database_name = $1"
            " AND schema_name = $2 AND table_name = $3 UNION ALL"
            " SELECT view_oid, 'VIEW' FROM duckdb_views() WHERE database_name = $1"
            " AND schema_name = $2 AND view_name = $3",
            [project, dataset, table],
        ).fetchall()
        if not found:
            self.dataset(project, dataset)
            raise Refused(404, "notFound", f"Not found: Table {project}:{dataset}.{table}")
        return found[0][0], found[0][1]

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a connection of its own, whose open transaction ends with it."""
        with closing(self.database.cursor()) as cursor:
            cursor.execute("SET TimeZone = 'UTC'")
            yield cursor


def _name(project: str, dataset: str, table: str) -> str:
    return ".".join(map(identifier, (project, dataset, table)))


def _duckdb(type_: str) -> str:
    if type_ in _PLAIN:
        return _PLAIN[type_]
    return sqlglot.parse_one(type_, read="bigquery", into=exp.DataType).sql("duckdb")


def _back(type_: str) -> str:
    return _BACK.get(type_) or type_.replace("DECIMAL", "NUMERIC")


def _spelt(said: dict[str, Any]) -> str:
    digits = f"({said['precision']},{said.get('scale', 0)})" if said.get("precision") else ""
    return f"{said['type']}{digits}"


def _field(column: str, type_: str, descriptions: dict[str, str]) -> dict[str, Any]:
    word, *digits = re.findall(r"\w+", type_)
    said = {"name": column, "type": _LEGACY.get(word, word), "mode": "NULLABLE"}
    if descriptions.get(column):
        said["description"] = descriptions[column]
    return said | dict(zip(("precision", "scale"), digits, strict=False))


def _plain(node: exp.Expr) -> exp.Expr:
    """Give a plain NUMERIC the digits that BigQuery's has, as far as DuckDB has them."""
    if isinstance(node, exp.DataType) and not node.expressions:
        word = {exp.DType.DECIMAL: "NUMERIC", exp.DType.BIGDECIMAL: "BIGNUMERIC"}.get(node.this)
        if word:
            return exp.DataType.build(_PLAIN[word], dialect="duckdb")
    return node


def _loaded(type_: str) -> str:
    """Return the type that a load job makes of a column of a Parquet file."""
    if found := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", type_):
        precision, scale = int(found[1]), int(found[2])
        return "NUMERIC" if scale <= 9 and precision - scale <= 29 else "BIGNUMERIC"
    return _BACK.get(type_, type_)


def _refuse_narrower(held: str, type_: str) -> None:
    old, new = held.partition("(")[0], type_.partition("(")[0]
    if old != new and new not in _WIDER.get(old, ()):
        text = f"ALTER TABLE ALTER COLUMN SET DATA TYPE from {held} to {type_} is not allowed"
        raise Refused(400, "invalidQuery", text)


def _rows(cursor: duckdb.DuckDBPyConnection) -> Any:
    if not cursor.description or cursor.description[0][0] == "Success":
        return [], []
    kinds = [_back(str(one[1])) for one in cursor.description]
    fields = [_field(one[0], kind, {}) for one, kind in zip(cursor.description, kinds, strict=True)]
    rows = [{"f": [{"v": _value(value)} for value in row]} for row in cursor.fetchall()]
    return fields, rows


def _value(value: Any) -> str | None:
    if isinstance(value, datetime):
        return str(round((value.astimezone(UTC) - _EPOCH) / timedelta(microseconds=1)))
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


def _said(exc: Exception) -> str:
    if isinstance(exc, duckdb.TransactionException):
        return ABORTED
    if lost := re.search(r"Table with name (\S+) does not exist", str(exc)):
        return f"Not found: Table {lost[1]} was not found in location EU"
    return str(exc).partition("Error: ")[2].partition("\n")[0] or str(exc)
