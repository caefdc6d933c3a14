"""Newer clients mark fields with `@gl_introduced(version: …)`: one that is not known is left out, as GitLab does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import REMOVE, TypeInfo, TypeInfoVisitor, Visitor, visit

if TYPE_CHECKING:
    from graphql import DocumentNode, FieldNode, GraphQLSchema

MARK = "gl_introduced"


def without_newer(schema: GraphQLSchema, document: DocumentNode) -> DocumentNode:
    """The document without marked fields that are not known, and without what then has nothing left to ask for."""
    info = TypeInfo(schema)
    found: DocumentNode = visit(document, TypeInfoVisitor(info, _Older(info)))
    return found


class _Older(Visitor):
    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self._info = info

    def enter_field(self, node: FieldNode, *_where: Any) -> Any:  # noqa: ANN401 (the library's signature)
        marked = any(each.name.value == MARK for each in node.directives or ())
        return REMOVE if marked and self._info.get_field_def() is None else None

    def leave_field(self, node: FieldNode, *_where: Any) -> Any:  # noqa: ANN401 (the library's signature)
        selected = node.selection_set
        return REMOVE if selected is not None and not selected.selections else None
