"""What `reads` demands of a model: of the parse tree for `each`, of the keys for the others.

`each` builds a model from one input partition at a time and puts the fragments together. That is
the same as building it from all of them only if every output row comes from one row of that input.
"""

from collections.abc import Mapping
from itertools import pairwise

from sqlglot import TokenType, exp

from lake.errors import ModelInvalid
from lake.models.inputs import Input, Reference
from lake.models.parse import Model
from lake.models.syntax import Statement, aggregates, invalid, offset, span, tokens, tree

_CLAUSES: tuple[tuple[type[exp.Expr], str, str], ...] = (
    (exp.Union, "UNION", "a set operation"),
    (exp.Except, "EXCEPT", "a set operation"),
    (exp.Intersect, "INTERSECT", "a set operation"),
    (exp.With, "WITH", "a WITH clause"),
    (exp.Group, "GROUP BY", "GROUP BY"),
    (exp.Having, "HAVING", "HAVING"),
    (exp.Qualify, "QUALIFY", "QUALIFY"),
    (exp.Window, "OVER", "a window"),
    (exp.Distinct, "DISTINCT", "DISTINCT"),
    (exp.Limit, "LIMIT", "LIMIT"),
    (exp.Fetch, "FETCH", "FETCH"),
    (exp.Offset, "OFFSET", "OFFSET"),
    (exp.Pivot, "PIVOT", "PIVOT"),
)
# As the right side: a left row would be there once per partition of the input.
_AS_RIGHT = frozenset({"LEFT", "FULL", "SEMI", "ANTI", "ASOF", "POSITIONAL"})
_AS_LEFT = frozenset({"RIGHT", "FULL", "POSITIONAL"})


def validate_reads(
    model: Model, found: tuple[Input, ...], keys: Mapping[str, tuple[str, ...]]
) -> None:
    """Refuse a model whose `reads` its SELECT or its inputs' keys do not allow.

    Args:
        model: the model.
        found: its inputs.
        keys: the partition keys of datasets, `()` for one without partitions. A dataset that is
            not in it (it has no data yet) is not looked at.

    Raises:
        ModelInvalid: naming the place in the SELECT, or both keys.
    """
    each = [item for item in found if item.reads.kind == "each"]
    narrowed = [item for item in found if item.reads.kind in ("same", "range")]
    if each and (narrowed or len(each) > 1):
        names = ", ".join(f"reads.{item.dataset} = {_said(item)!r}" for item in [*each, *narrowed])
        raise ModelInvalid(f'{model.path}: {names}: with "each" all other inputs are read whole')
    if each:
        _validate_each(model.select, each[0])
    for item in narrowed:
        _validate_range(model, item)
    for item in [*each, *narrowed]:
        if item.dataset in keys:
            _validate_keys(model, item, keys[item.dataset])


def _said(item: Input) -> str:
    reads = item.reads
    return f"{reads.first}..+{reads.last}" if reads.kind == "range" else reads.kind


def _validate_range(model: Model, item: Input) -> None:
    if item.reads.kind != "range":
        return
    if not item.dataset.startswith("curated."):
        raise ModelInvalid(
            f"{model.path}: reads.{item.dataset} = {_said(item)!r}: a range is for curated inputs"
            " only, whose rows are known to lie in their partition; put them there by a model with"
            ' reads = "each" first'
        )
    if len(model.partition_by) != 1:
        raise ModelInvalid(
            f"{model.path}: reads.{item.dataset} = {_said(item)!r} steps along one key, but"
            f" partition_by has {len(model.partition_by)}: {', '.join(model.partition_by)}"
        )


def _validate_keys(model: Model, item: Input, keys: tuple[str, ...]) -> None:
    where = f"{model.path}: reads.{item.dataset} = {_said(item)!r}"
    if not keys:
        raise ModelInvalid(f"{where}, but {item.dataset} has no partitions: take the line out")
    if item.reads.kind != "each" and keys != model.partition_by:
        raise ModelInvalid(
            f"{where} needs the same keys: {item.dataset} has {', '.join(keys)}, partition_by says"
            f" {', '.join(model.partition_by)}; make them equal, or read it whole"
        )


def _validate_each(select: Statement, item: Input) -> None:
    if len(item.references) > 1:
        second = item.references[1].start
        raise _refused(
            select, item, second, f"it reads {item.dataset} twice, which pairs up partitions"
        )
    for kind, word, name in _CLAUSES:
        if (node := tree(select).find(kind)) is not None:
            starts = [t.start for t in tokens(select.text, select.path) if t.text.upper() == word]
            place = starts[0] if starts else offset(select, node)
            raise _refused(select, item, place, f"it has {name}")
    _refuse_aggregates(select, item)
    _refuse_joins(select, item, item.references[0])


def _refuse_aggregates(select: Statement, item: Input) -> None:
    inside = tokens(select.text, select.path)
    for token, after in pairwise(inside):
        if after.token_type == TokenType.L_PAREN and token.text.lower() in aggregates():
            raise _refused(select, item, token.start, f"{token.text}() looks at many rows")
    if (node := tree(select).find(exp.AggFunc)) is not None:
        raise _refused(select, item, offset(select, node), "it has an aggregate")


def _refuse_joins(select: Statement, item: Input, place: Reference) -> None:
    top = tree(select)
    holder = place.node.parent
    joins = [join for join in top.args.get("joins") or [] if isinstance(join, exp.Join)]
    if not isinstance(holder, (exp.From, exp.Join)) or holder.parent is not top:
        raise _refused(
            select, item, place.start, f"{item.dataset} stands inside a subquery or parentheses"
        )
    if place.node.args.get("joins"):
        raise _refused(
            select,
            item,
            place.start,
            f"{item.dataset} stands in a nested join: write the joins flat",
        )
    number = joins.index(holder) if isinstance(holder, exp.Join) else -1
    for join in joins[max(number, 0) :]:
        words = {str(join.args.get(part) or "").upper() for part in ("side", "kind", "method")}
        bad = words & (_AS_RIGHT if join is holder else _AS_LEFT)
        if bad:
            raise _refused(
                select, item, _start(select, join), _why(item, bad.pop(), join is holder)
            )


def _why(item: Input, word: str, right: bool) -> str:
    side = "right" if right else "left"
    return f"{item.dataset} is the {side} side of a {word} JOIN, which looks at all its rows"


def _start(select: Statement, join: exp.Join) -> int:
    table = join.this
    named = isinstance(table, exp.Table) and isinstance(table.this, exp.Identifier)
    return span(table.parts[0])[0] if named else offset(select, table)


def _refused(select: Statement, item: Input, place: int, why: str) -> ModelInvalid:
    return invalid(
        select.path,
        select.text,
        place,
        f'reads.{item.dataset} = "each" is for models that work row by row, but {why};'
        " take the line out (the input is then read whole) or make this part a model of its own",
    )
