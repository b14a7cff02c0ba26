"""Facts of every kind, made from the kinds' own types: a new kind or field is tried without a change here."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from msgspec import inspect

from shared.release.facts import KINDS, Fact

JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


def values(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Return any value of a type."""
    match kind:
        case inspect.IntType():
            return st.integers(-(2**63), 2**63)
        case inspect.BoolType():
            return st.booleans()
        case inspect.FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case inspect.StrType():
            return st.text(max_size=20)
        case inspect.LiteralType(values=allowed):
            return st.sampled_from(allowed)
        case inspect.VarTupleType(item_type=item):
            return st.lists(values(item), max_size=3).map(tuple)
        case inspect.UnionType(types=types):
            return st.one_of([values(each) for each in types])
        case inspect.NoneType():
            return st.none()
        case inspect.AnyType():
            return JSON
        case inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(values(key), values(value), max_size=3)
        case inspect.StructType():
            return structs(kind, {})
    raise AssertionError(f"say here how a {kind} is made up")


def structs(kind: inspect.StructType, pools: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Return any struct of a kind; a field that has a pool is drawn from it."""
    drawn = {each.name: pools[each.name] if each.name in pools else values(each.type) for each in kind.fields}
    return st.builds(kind.cls, **drawn)


def facts(*names: str, **pools: st.SearchStrategy[Any]) -> st.SearchStrategy[Fact]:
    """Return any fact of these kinds, of all when none is named; `pools` say from where fields of a name are drawn."""
    kinds = [inspect.type_info(KINDS[name]) for name in names or KINDS]
    return st.one_of([structs(kind, pools) for kind in kinds if isinstance(kind, inspect.StructType)])
