"""Every page has a JSON twin, whose schema is the document's."""

import json

import jsonschema
import pytest

from lake.browser.document import schema
from lake.browser.pages import PAGES
from tests.browser import addresses
from tests.browser.site import Site

TWINS = [(name, path) for name, paths in addresses.PAGES.items() for path in paths]


def test_every_kind_of_page_is_looked_at() -> None:
    assert addresses.PAGES.keys() == PAGES.keys()


@pytest.mark.parametrize(("name", "path"), TWINS)
def test_a_twin_is_as_its_schema_says(pages: Site, name: str, path: str) -> None:
    document = pages.json(path)
    assert isinstance(document, dict)
    found = schema(PAGES[name].document)
    jsonschema.Draft202012Validator.check_schema(found)
    jsonschema.Draft202012Validator(found).validate(document)
    assert document.keys() == found["properties"].keys()


@pytest.mark.parametrize(("name", "path"), TWINS)
def test_the_page_says_where_its_twin_is(pages: Site, name: str, path: str) -> None:
    text = pages.get(path)
    twin = text.rpartition('">this page as JSON')[0].rpartition('href="')[2].replace("&amp;", "&")
    assert json.loads(pages.get(twin)).keys() == pages.json(path).keys()


@pytest.mark.parametrize("path", addresses.EVERY)
def test_a_page_weighs_little(pages: Site, path: str) -> None:
    assert len(pages.get(path).encode()) <= 150 * 1024
