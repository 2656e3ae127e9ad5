"""A model's SELECT, written in another way: for its build key, and over other relations."""

from collections.abc import Collection, Mapping

from sqlglot import TokenType, exp

from lake.models.inputs import Reference
from lake.models.syntax import TEXTS, Statement, span, tokens, tree

# Words that can be no name: only their case is free.
_RESERVED = {
    *("ALL", "AND", "ANY", "AS", "ASC", "BOTH", "CASE", "CAST", "COLLATE", "DEFAULT", "DESC"),
    *("DISTINCT", "ELSE", "END", "EXCEPT", "FALSE", "FROM", "GROUP", "HAVING", "IN", "INTERSECT"),
    *("INTO", "JOIN", "LATERAL", "LEADING", "LIMIT", "NOT", "NULL", "OFFSET", "ON", "OR", "ORDER"),
    *("QUALIFY", "SELECT", "SOME", "THEN", "TRAILING", "TRUE", "UNION", "USING", "WHEN", "WHERE"),
    *("WINDOW", "WITH"),
}


def canonical(found: Statement, places: Collection[Reference]) -> str:
    """Return the SELECT for a build key: no comments, no layout, inputs with their zone.

    Two texts with one canonical form are the same query; a change of anything but comments, blanks
    and the case of reserved words changes it.
    """
    names = {place.start: place for place in places}
    words, skip = [], found.start
    for token in tokens(found.text, found.path):
        if token.start < skip or token.end >= found.end:
            continue
        if place := names.get(token.start):
            words.append(place.dataset)
            skip = place.end
        else:
            words.append(_word(found.text[token.start : token.end + 1], token.token_type))
    return " ".join(words)


def _word(written: str, kind: TokenType) -> str:
    if kind in TEXTS or kind == TokenType.IDENTIFIER:
        return written
    # A token such as GROUP BY may hold blanks of any kind.
    word = " ".join(written.split())
    return word.upper() if word.split(" ")[0].upper() in _RESERVED else word


def rewrite(found: Statement, places: Collection[Reference], relations: Mapping[str, str]) -> str:
    """Return the SELECT as written, reading each input from another relation.

    Aliases stay, and a table without one keeps its name as its alias, so `trips.col` and
    `raw.trips.col` still mean the same column. Lines stay lines.

    Args:
        found: the SELECT.
        places: where it reads datasets.
        relations: quoted SQL per dataset; a dataset that is not in it stays what it is.
    """
    sql = found.text[: found.end]
    for start, end, new in reversed(edits(found, places, relations)):
        sql = sql[:start] + new + sql[end:]
    return sql[found.start :]


def edits(
    found: Statement, places: Collection[Reference], relations: Mapping[str, str]
) -> list[tuple[int, int, str]]:
    """Return what `rewrite` replaces: start, end and the new text, in the order of the text."""
    moved = [place for place in places if place.dataset in relations]
    tables = [(place.start, place.end, _renamed(found, place, relations)) for place in moved]
    return sorted([*tables, *_qualifiers(found, {place.dataset for place in moved})])


def _renamed(found: Statement, place: Reference, relations: Mapping[str, str]) -> str:
    before = [t for t in tokens(found.text, found.path) if t.end < place.start]
    relation = relations[place.dataset]
    if place.node.alias or (before and before[-1].text.upper() == "TABLE"):
        return relation
    start, end = span(place.node.this)
    return f"{relation} AS {found.text[start:end]}"


def _qualifiers(found: Statement, datasets: Collection[str]) -> list[tuple[int, int, str]]:
    """Return the `raw.` of each `raw.trips.col`, unless `raw` is a table of the query itself."""
    aliases = {item.name.lower() for item in tree(found).find_all(exp.TableAlias)}
    cuts = []
    for column in tree(found).find_all(exp.Column):
        names = [part for part in column.parts if isinstance(part, exp.Identifier)]
        zone = names[0].name.lower() if names else ""
        if len(names) > 1 and zone not in aliases and f"{zone}.{names[1].name.lower()}" in datasets:
            cuts.append((span(names[0])[0], span(names[1])[0], ""))
    return cuts
