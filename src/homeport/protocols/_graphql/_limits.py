"""What a GraphQL document may ask for at once: how deep, how often under other names, and how much of it.

Checked before anything is executed, and before the rules whose cost grows with the square of the size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    InlineFragmentNode,
    OperationDefinitionNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from homeport.domain.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from graphql import DocumentNode, GraphQLNamedType, GraphQLSchema, SelectionSetNode

DEPTH = 16
ALIASES = 30
COST = 2_000
SPREADS = 200
"""Fragments that may be spread, those within others counted each time."""
EACH = 10
"""How many entries a list is taken to have."""
LESS = "Ask for less at a time."


def check(schema: GraphQLSchema, document: DocumentNode) -> None:
    """Raise BadRequest for a document beyond one of the limits."""
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    for each in document.definitions:
        if isinstance(each, OperationDefinitionNode):
            root = schema.get_root_type(each.operation)
            counted = _Counted(schema, fragments)
            cost = counted.cost(each.selection_set, root, 1, ())
            if cost > COST:
                raise BadRequest(f"The query costs {cost} fields, and {COST} are the most.", LESS)


class _Counted:
    """One operation being counted."""

    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._schema = schema
        self._fragments = fragments
        self._aliases = self._spreads = 0

    def cost(
        self, selected: SelectionSetNode | None, kind: GraphQLNamedType | None, depth: int, within: tuple[str, ...]
    ) -> int:
        """Fields, those in lists several times; raises BadRequest as soon as a limit is passed."""
        if depth > DEPTH:
            raise BadRequest(f"The query is nested more than {DEPTH} levels deep.", LESS)
        total = 0
        for field, inner in self._fields(selected, kind, within):
            self._count_alias(field)
            found = inner.fields.get(field.name.value) if isinstance(inner, GraphQLObjectType) else None
            many = EACH if found is not None and is_list_type(get_nullable_type(found.type)) else 1
            below = get_named_type(found.type) if found is not None else None
            meta = field.name.value.startswith("__") or (kind is not None and kind.name.startswith("__"))
            total += 1 + (1 if meta else many) * self.cost(field.selection_set, below, depth + 1, within)
            if total > COST:
                raise BadRequest(f"The query costs more than {COST} fields.", LESS)
        return total

    def _count_alias(self, field: FieldNode) -> None:
        self._aliases += field.alias is not None
        if self._aliases > ALIASES:
            raise BadRequest(f"The query has more than {ALIASES} aliases.", LESS)

    def _fields(
        self, selected: SelectionSetNode | None, kind: GraphQLNamedType | None, within: tuple[str, ...]
    ) -> Iterator[tuple[FieldNode, GraphQLNamedType | None]]:
        """Fields of a selection, those of its fragments too; a fragment within itself is for validation to refuse."""
        for each in selected.selections if selected else ():
            if isinstance(each, FieldNode):
                yield each, kind
            elif isinstance(each, InlineFragmentNode):
                named = each.type_condition
                yield from self._fields(each.selection_set, self._type(named.name.value) if named else kind, within)
            elif isinstance(each, FragmentSpreadNode):
                yield from self._spread(each.name.value, within)

    def _spread(self, name: str, within: tuple[str, ...]) -> Iterator[tuple[FieldNode, GraphQLNamedType | None]]:
        fragment = self._fragments.get(name)
        self._spreads += 1
        if fragment is None:
            return
        if name in within or self._spreads > SPREADS:
            raise BadRequest(f"The fragment {name[:100]!r} contains itself, or too many others.", LESS)
        yield from self._fields(fragment.selection_set, self._type(fragment.type_condition.name.value), (*within, name))

    def _type(self, name: str) -> GraphQLNamedType | None:
        return self._schema.type_map.get(name)
