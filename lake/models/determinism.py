"""What a model may not call: the same inputs must give the same rows, whenever and wherever."""

from sqlglot import Token, TokenType, exp

from lake.models.syntax import TEXTS, Statement, invalid, offset, tokens, tree

KEYWORDS = {
    *("current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"),
    *("current_user", "current_role", "current_schema", "current_catalog", "session_user"),
}
FUNCTIONS = KEYWORDS | {
    *("random", "setseed", "uuid", "uuidv4", "uuidv7", "gen_random_uuid", "nextval", "currval"),
    *("now", "today", "ago", "get_current_time", "get_current_timestamp"),
    *("transaction_timestamp", "statement_timestamp", "clock_timestamp", "sleep_ms", "write_log"),
    *("current_database", "current_schemas", "current_setting", "current_query"),
    *("current_query_id", "current_connection_id", "current_transaction_id", "txid_current"),
    *("getenv", "getvariable", "in_search_path", "stats", "version", "get_block_size"),
}


def refuse_chance(found: Statement) -> None:
    """Refuse what looks at the clock, at chance or at the session.

    Raises:
        ModelInvalid: naming the function, its line and column.
    """
    inside = tokens(found.text, found.path)
    for before, token, after in zip((None, *inside), inside, (*inside[1:], None), strict=False):
        if _is_chance(before, token, after):
            raise _refused(
                found, token.start, f"{token.text.lower()} gives another answer every time"
            )
    if (sample := tree(found).find(exp.TableSample)) is not None:
        raise _refused(found, _sampled(found, sample), "a sample is another one every time")
    for call in tree(found).find_all(exp.Anonymous):
        if call.name.lower() == "age" and len(call.expressions) == 1:
            raise _refused(
                found, offset(found, call), "age with one argument looks at today's date"
            )


def _is_chance(before: Token | None, token: Token, after: Token | None) -> bool:
    name = token.text.lower()
    if name not in FUNCTIONS or token.token_type in TEXTS:
        return False
    if after is not None and after.token_type == TokenType.L_PAREN:
        return True
    named = before is not None and before.token_type in (TokenType.DOT, TokenType.ALIAS)
    return name in KEYWORDS and token.token_type != TokenType.IDENTIFIER and not named


def _sampled(found: Statement, sample: exp.Expr) -> int:
    words = ("TABLESAMPLE", "TABLE SAMPLE", "USING SAMPLE", "SAMPLE")
    starts = [t.start for t in tokens(found.text, found.path) if t.text.upper() in words]
    return starts[0] if starts else offset(found, sample)


def _refused(found: Statement, place: int, why: str) -> Exception:
    advice = (
        "a model's rows depend on its inputs only; take the value from a dataset, or write it down"
    )
    return invalid(found.path, found.text, place, f"{why}: {advice}")
