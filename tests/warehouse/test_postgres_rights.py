"""PostgreSQL as a warehouse: who may connect, read and write, and what a role lacks."""

import dataclasses
import re
from pathlib import Path

import pytest

from lake.errors import LoadRefused, StoreRefused, StoreUnavailable
from lake.warehouse.load import TableLoad, count, describe, load, reconcile
from tests import servers
from tests.warehouse.loads import Publish
from tests.warehouse.places import Place

SECRET = "kanarienvogel"


@pytest.fixture
def warehouse(postgres_warehouse: Place) -> Place:
    return postgres_warehouse


def login(warehouse: Place, more: str = "") -> tuple[str, str]:
    """Make a role of this database; return its name and its URL."""
    role = f"r_{warehouse.shown.rpartition('/')[2]}"
    warehouse.run(f"CREATE ROLE {role} LOGIN PASSWORD '{SECRET}'{more}")
    return role, f"postgresql://{role}:{SECRET}@{warehouse.shown.removeprefix('postgresql://')}"


def test_a_role_that_may_not_write_is_told_what_it_lacks(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    role, url = login(warehouse)
    job = publish(1, {"2024-01": [3]})
    steps = [
        (
            "permission denied for schema public",
            f'GRANT USAGE, CREATE ON SCHEMA "public", "marts" TO "{role}"',
        ),
        ("permission denied for database", f'CREATE SCHEMA "marts" AUTHORIZATION "{role}"'),
    ]
    warehouse.run(f'GRANT USAGE, CREATE ON SCHEMA public TO "{role}"')
    with pytest.raises(LoadRefused) as refused:
        load(url, job, root=tmp_path)
    assert f": {steps[1][1]}, then load again" in str(refused.value)
    assert steps[1][0] in str(refused.value)
    warehouse.run(steps[1][1])
    assert load(url, job, root=tmp_path).rows == 1
    warehouse.run(
        "ALTER TABLE marts.daily OWNER TO clearlake",
        f'GRANT ALL ON marts.daily TO "{role}"',
    )
    with pytest.raises(LoadRefused) as refused:
        load(url, publish(2, {"2024-01": [4]}), root=tmp_path)
    statement = f'ALTER TABLE "marts"."daily" OWNER TO "{role}"'
    assert str(refused.value) == (
        f"loading curated.daily into marts.daily in {warehouse.shown} is refused (must be owner of"
        " table daily): nothing was changed; it is clearlake's table, so let a superuser run:"
        f" {statement}, then load again"
    )
    warehouse.run(statement)
    assert load(url, publish(2, {"2024-01": [4]}), root=tmp_path).rows == 1
    warehouse.run(f'REASSIGN OWNED BY "{role}" TO clearlake', f'DROP OWNED BY "{role}"')
    with pytest.raises(LoadRefused) as refused:
        load(url, publish(3, {"2024-01": [5]}), root=tmp_path)
    assert SECRET not in str(refused.value)
    warehouse.run(f'DROP ROLE "{role}"')


def test_a_role_that_may_not_write_the_ledger_is_given_the_statement(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    role, url = login(warehouse)
    warehouse.run(
        f'ALTER TABLE marts.daily OWNER TO "{role}"', f'GRANT ALL ON SCHEMA marts TO "{role}"'
    )
    statement = (
        'GRANT SELECT, INSERT, UPDATE, DELETE ON "public"."_lake_loads", "public"."_lake_tables",'
        f' "public"."_lake_writers" TO "{role}"'
    )
    job = publish(2, {"2024-01": [4]})
    with pytest.raises(
        LoadRefused, match=r"\(permission denied for table _lake_tables\)"
    ) as refused:
        load(url, job, root=tmp_path)
    assert str(refused.value).endswith(f"let its owner run: {statement}, then load again")
    warehouse.run(statement)
    assert load(url, job, root=tmp_path).rows == 1
    warehouse.run(f'REASSIGN OWNED BY "{role}" TO clearlake', f'DROP OWNED BY "{role}"')
    warehouse.run(f'DROP ROLE "{role}"')


@pytest.mark.parametrize("mode", ["replace", "append", "merge"])
def test_rows_that_a_policy_hides_are_not_taken_for_none(
    tmp_path: Path, warehouse: Place, publish: Publish, mode: str
) -> None:
    role, url = login(warehouse)
    database = warehouse.shown.rpartition("/")[2]
    warehouse.run(
        f'GRANT CREATE ON DATABASE {database} TO "{role}"',
        f'GRANT USAGE, CREATE ON SCHEMA public TO "{role}"',
    )

    def job(commit: int) -> TableLoad:
        merge_on = ("day",) if mode == "merge" else ()
        return publish(
            commit, {"2024-01": [3], f"2024-0{commit}": [4]}, mode=mode, merge_on=merge_on
        )

    load(url, job(2), root=tmp_path)
    warehouse.run(
        "ALTER TABLE marts.daily ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE marts.daily FORCE ROW LEVEL SECURITY",
        "CREATE POLICY none ON marts.daily USING (trips > 100) WITH CHECK (true)",
    )
    said = (
        "loading curated.daily into marts.daily in {} is refused (query would be affected by"
        ' row-level security policy for table "daily"): nothing was changed; row security hides'
        " rows of marts.daily from this role, so run ALTER TABLE marts.daily NO FORCE ROW LEVEL"
        ' SECURITY, or let a superuser run: ALTER ROLE "{}" BYPASSRLS, then load again'
    )
    with pytest.raises(LoadRefused) as refused:
        load(url, job(3), root=tmp_path)
    assert str(refused.value) == said.format(warehouse.shown, role)
    with pytest.raises(LoadRefused, match=r"row security hides rows of marts\.daily from"):
        reconcile(url, job(3), root=tmp_path, mend=True)
    with pytest.raises(LoadRefused, match=r"row security hides rows of marts\.daily from"):
        count(url, "marts.daily", root=tmp_path)
    assert warehouse.run("SELECT count(*) FROM marts.daily") == [(2,)]
    warehouse.run(f'ALTER ROLE "{role}" BYPASSRLS')
    assert load(url, job(3), root=tmp_path).loaded == ("month=2024-03",)
    warehouse.run(f'REASSIGN OWNED BY "{role}" TO clearlake', f'DROP OWNED BY "{role}"')
    warehouse.run(f'DROP ROLE "{role}"')


def test_a_schema_of_the_roles_own_name_brings_no_second_copy(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    def job(commit: int, trips: int) -> TableLoad:
        return dataclasses.replace(publish(commit, {"2024-01": [trips]}), table="daily")

    load(warehouse.url, job(1, 3), root=tmp_path)
    warehouse.run("CREATE SCHEMA clearlake")
    load(warehouse.url, job(2, 4), root=tmp_path)
    query = "SELECT schemaname FROM pg_tables WHERE tablename = 'daily'"
    assert warehouse.run(query) == [("public",)]
    assert warehouse.run("SELECT trips FROM public.daily") == [(4,)]
    [held] = describe(warehouse.url, root=tmp_path)
    assert (held.table, held.commit) == ("daily", 2)


@pytest.mark.parametrize("path", ["other", "other,pg_temp", "%22%22"])
def test_another_search_path_brings_no_second_ledger(
    tmp_path: Path, warehouse: Place, publish: Publish, path: str
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    warehouse.run("CREATE SCHEMA other")
    url = f"{warehouse.url}?options=-c%20search_path%3D{path}"
    assert load(url, publish(2, {"2024-01": [4]}), root=tmp_path).loaded == ("month=2024-01",)
    [held] = describe(url, root=tmp_path)
    assert (held.table, held.commit) == ("marts.daily", 2)
    query = "SELECT schemaname FROM pg_tables WHERE tablename = '_lake_tables'"
    assert warehouse.run(query) == [("public",)]


def test_a_ledger_that_a_role_may_not_use_is_not_its_own(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    role, url = login(warehouse)
    warehouse.run(
        f'CREATE SCHEMA mine AUTHORIZATION "{role}"', f'ALTER ROLE "{role}" SET search_path = mine'
    )
    theirs = dataclasses.replace(publish(1, {"2024-01": [5]}), table="daily")
    load(url, theirs, root=tmp_path)
    assert warehouse.run("SELECT trips FROM mine.daily") == [(5,)]
    [held] = describe(url, root=tmp_path)
    assert held.table == "daily"
    warehouse.run(f'DROP OWNED BY "{role}"', f'DROP ROLE "{role}"')


def test_no_ledger_is_made_for_a_table_that_no_lake_has_loaded(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    warehouse.run("CREATE SCHEMA marts", "CREATE TABLE marts.daily (month VARCHAR, trips BIGINT)")
    with pytest.raises(LoadRefused, match="is there, and no lake has loaded it: give"):
        load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    assert warehouse.run("SELECT to_regclass('_lake_tables')::text") == [(None,)]


def test_a_server_that_takes_no_changes_is_told(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    url = f"{warehouse.url}?options=-c%20default_transaction_read_only%3Don"
    with pytest.raises(
        LoadRefused, match=r"is refused, as the server takes no changes \(cannot ex"
    ):
        load(url, publish(1, {"2024-01": [3]}), root=tmp_path)


def test_who_cannot_connect_is_told_why_and_no_password(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    job = publish(1, {"2024-01": [3]})
    wrong = re.sub(r":[^:@/]+@", f":{SECRET}@", warehouse.url)
    with pytest.raises(StoreRefused) as refused:
        load(wrong, job, root=tmp_path)
    assert "password authentication failed" in str(refused.value)
    assert str(refused.value).startswith(f"warehouse {warehouse.shown} refuses the connection (")
    nowhere = f"postgresql://ada:{SECRET}@127.0.0.1:{servers.free_port()}/taxi"
    with pytest.raises(StoreUnavailable, match=r"cannot be reached \(.*\): start it") as down:
        load(nowhere, job, root=tmp_path)
    with pytest.raises(StoreRefused, match=r'database "nope" does not exist'):
        load(f"{warehouse.url.rpartition('/')[0]}/nope", job, root=tmp_path)
    assert not isinstance(down.value, StoreRefused)
    for said in (str(refused.value), str(down.value)):
        assert SECRET not in said
        assert "\n" not in said
