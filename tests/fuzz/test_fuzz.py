import pytest

from tests.fuzz.properties import PROPERTIES, Property


@pytest.mark.parametrize("one", PROPERTIES, ids=lambda one: one.name)
def test_every_property_holds_of_a_few_examples(one: Property) -> None:
    assert one.search() >= one.few // 2
