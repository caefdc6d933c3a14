"""How requests ended, told apart: Homeport or a model failed, or the caller was refused."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import and_, or_

from homeport.domain.errors import CallerError

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Table


@cache
def callers_codes() -> frozenset[str]:
    """Codes of errors that are the caller's own: `bad_request`, `not_authenticated`, and so on."""
    return frozenset(each.code for each in _tree(CallerError))


def _tree(root: type[CallerError]) -> list[type[CallerError]]:
    return [root, *(each for kind in root.__subclasses__() for each in _tree(kind))]


def was_refused(ended: Table) -> ColumnElement[bool]:
    """The caller has to mend it: no model was to be blamed, none was asked."""
    return and_(ended.c.outcome == "rejected", ended.c.error_code.in_(sorted(callers_codes())))


def has_failed(ended: Table) -> ColumnElement[bool]:
    """A feature or its model did not do its part."""
    rejected = and_(ended.c.outcome == "rejected", ended.c.error_code.not_in(sorted(callers_codes())))
    return or_(ended.c.outcome == "broken", rejected)
