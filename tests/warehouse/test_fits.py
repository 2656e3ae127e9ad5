import pytest

from lake.warehouse.fits import fits


@pytest.mark.parametrize(
    ("given", "held"),
    [
        ("INTEGER", "BIGINT"),
        ("UINTEGER", "BIGINT"),
        ("UTINYINT", "UBIGINT"),
        ("INTEGER", "DOUBLE"),
        ("FLOAT", "DOUBLE"),
        ("DECIMAL(9,2)", "DECIMAL(18,4)"),
        ("STRUCT(a INTEGER)", "STRUCT(a INTEGER)"),
    ],
)
def test_a_type_fits_where_no_value_is_lost(given: str, held: str) -> None:
    assert fits(given, held=held)


@pytest.mark.parametrize(
    ("given", "held"),
    [
        ("BIGINT", "INTEGER"),
        ("BIGINT", "UBIGINT"),
        ("UBIGINT", "BIGINT"),
        ("BIGINT", "DOUBLE"),
        ("DOUBLE", "BIGINT"),
        ("DECIMAL(9,4)", "DECIMAL(9,2)"),
        ("DECIMAL(18,2)", "DECIMAL(18,4)"),
        ("VARCHAR", "DATE"),
        ("DATE", "VARCHAR"),
    ],
)
def test_a_type_does_not_fit_where_a_value_could_be_lost(given: str, held: str) -> None:
    assert not fits(given, held=held)
