"""SCIM's PATCH: operations on a resource, as RFC 7644, section 3.5.2, says and as directories send them.

Habits that are taken as they are meant: capitals in `op` (Entra ID), texts for booleans (Entra ID), dotted names and
filters as the keys of an operation without a path (Entra ID), a value beside the path of a removal (Entra ID), `active`
in an object without a path (Okta), a filter that finds nothing where a value is added or replaced (Entra ID).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homeport.domain.errors import BadRequest
from homeport.protocols._scim_filter import BadPath, Both, Compare, matches, part, read_path
from homeport.protocols._scim_schemas import USER, BadValue, attributes_of, form, parts_of, shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.protocols._scim_filter import Filter, Target
    from homeport.protocols._scim_schemas import Attribute

MOST = 1000
"""Operations of one request."""
_OURS = frozenset({"schemas", "id", "meta"})


class NoTarget(BadRequest):
    """The path finds nothing that could be changed."""

    scim_type = "noTarget"


class Fixed(BadRequest):
    """The attribute cannot be changed."""

    scim_type = "mutability"


class BadSyntax(BadRequest):
    """The body is no PATCH."""

    scim_type = "invalidSyntax"


def patched(resource: Mapping[str, Any], urn: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a resource after all operations, or none: raises a BadRequest that says what is wrong."""
    operations = part(body, "operations")
    if not isinstance(operations, list) or not operations or len(operations) > MOST:
        raise BadSyntax("There are no Operations, or too many.", f"Send a list of 1 to {MOST}.", param="Operations")
    known, found = attributes_of(urn), dict(resource)
    for each in operations:
        if not isinstance(each, dict):
            raise BadSyntax("An operation is no object.", "Give it op, path and value.", param="Operations")
        _operate(found, urn, known, each)
    return found


def _operate(found: dict[str, Any], urn: str, known: Mapping[str, Attribute], operation: Mapping[str, Any]) -> None:
    op, path, value = (part(operation, name) for name in ("op", "path", "value"))
    op = op.lower() if isinstance(op, str) else ""
    if op not in {"add", "replace", "remove"}:
        raise BadSyntax("An operation says neither add, replace nor remove.", "Say which.", param="op")
    if path is not None and not isinstance(path, str):
        raise BadPath("A path is a text.", "Write it like name.givenName", param="path")
    if path:
        _at(found, urn, known, op, path, value)
        return
    if op == "remove":
        raise NoTarget("It is not said what to remove.", "Give a path.", param="path")
    if not isinstance(value, dict):
        raise BadValue("Without a path, the value is an object.", "Give attributes and their values.", param="value")
    for name, each in value.items():
        if name.lower() not in _OURS and not _fixed(known, name):
            _at(found, urn, known, op, name, each)


def _fixed(known: Mapping[str, Attribute], name: str) -> bool:
    """Whether an attribute is only read: a whole resource that is sent back may hold it."""
    return name.lower() in known and known[name.lower()]["mutability"] == "readOnly"


def _at(found: dict[str, Any], urn: str, known: Mapping[str, Attribute], op: str, path: str, value: Any) -> None:  # noqa: ANN401 (any JSON)
    if path.lower() in known:
        # the schema of an extension is a path of its own, and no attribute's name
        _change(found, known[path.lower()], op, None, "", value)
        return
    target = read_path(path)
    schema = target.path.schema
    if schema in {"", urn.lower()}:
        attribute = known.get(target.path.name)
        if attribute is None:
            raise BadPath(f"There is no attribute {target.path.name!r}.", "Look at /scim/v2/Schemas.", param="path")
        _change(found, attribute, op, target.inner, target.path.sub, value)
    elif urn == USER and schema in known:
        _extended(found, known[schema], op, target, value)
    else:
        raise BadPath("There is no such schema.", "Look at /scim/v2/Schemas.", param="path")


def _extended(found: dict[str, Any], extension: Attribute, op: str, target: Target, value: Any) -> None:  # noqa: ANN401 (any JSON)
    attribute = parts_of(extension).get(target.path.name)
    if attribute is None:
        raise BadPath(f"There is no attribute {target.path.name!r}.", "Look at /scim/v2/Schemas.", param="path")
    inner = dict(found.get(extension["name"], {}))
    _change(inner, attribute, op, target.inner, target.path.sub, value)
    _put(found, extension["name"], inner)


def _put(found: dict[str, Any], name: str, value: Any) -> None:  # noqa: ANN401 (any JSON)
    """Set an attribute, or take it away with nothing."""
    if value in (None, {}, []):
        found.pop(name, None)
    else:
        found[name] = value


def _change(found: dict[str, Any], attribute: Attribute, op: str, inner: Filter | None, sub: str, value: Any) -> None:  # noqa: ANN401 (any JSON)
    name = attribute["name"]
    if attribute["mutability"] == "readOnly":
        raise Fixed(f"{name} is only read.", "Leave it out.", param=name)
    if sub and sub not in parts_of(attribute):
        raise BadPath(f"{name} has no part {sub!r}.", "Look at /scim/v2/Schemas.", param="path")
    if attribute["multiValued"]:
        before = list(found.get(name, ()))
        _put(found, name, _several(attribute, before, op, inner, sub, value))
    elif inner is not None:
        raise BadPath(f"{name} has one value, which needs no filter.", "Leave the filter out.", param="path")
    elif sub:
        _put(found, name, _with_part(attribute, found.get(name, {}), op, sub, value))
    elif op == "remove" or value is None:
        if attribute["required"]:
            raise BadValue(f"{name} cannot be missing.", "Give it another value.", param=name)
        found.pop(name, None)
    else:
        shaped = shape(attribute, value)
        _put(found, name, {**found.get(name, {}), **shaped} if isinstance(shaped, dict) else shaped)


def _with_part(attribute: Attribute, before: Mapping[str, Any], op: str, sub: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 (any JSON)
    """One value of an attribute with another part."""
    piece = parts_of(attribute)[sub]
    if piece["mutability"] == "readOnly":
        raise Fixed(f"{piece['name']} is only read.", "Leave it out.", param=piece["name"])
    after = {key: each for key, each in before.items() if key != piece["name"]}
    return after if op == "remove" or value is None else {**after, piece["name"]: shape(piece, value)}


def _several(attribute: Attribute, before: list[Any], op: str, inner: Filter | None, sub: str, value: Any) -> list[Any]:  # noqa: ANN401 (any JSON)
    if inner is not None or sub:
        return _found(attribute, before, op, inner, sub, value)
    if op == "remove":
        return _without(attribute, before, value)
    wanted = shape(attribute, value if value is not None else [])
    if op == "replace":
        return list(wanted)
    held = {_key(each) for each in before}
    both = [*before, *(each for each in wanted if _key(each) not in held)]
    return list(shape(attribute, both))


def _key(value: Any) -> str:  # noqa: ANN401 (any JSON)
    """By what a value is known again: members by whom they are, all else as a whole."""
    if isinstance(value, dict) and "value" in value and not value.keys() - {"value", "$ref", "type", "display"}:
        return f"{value['value']}\0{'' if value.get('type') == 'User' else value.get('type', '')}"
    return repr(sorted(value.items())) if isinstance(value, dict) else repr(value)


def _without(attribute: Attribute, before: list[Any], value: Any) -> list[Any]:  # noqa: ANN401 (any JSON)
    """Nothing, or all but the values that stand beside the path."""
    if value in (None, [], {}):
        return []
    gone = {each.get("value") for each in shape(attribute, value) if isinstance(each, dict)}
    return [each for each in before if not (isinstance(each, dict) and each.get("value") in gone)]


def _found(attribute: Attribute, before: list[Any], op: str, inner: Filter | None, sub: str, value: Any) -> list[Any]:  # noqa: ANN401 (any JSON)
    """The values after a change of those that the filter finds, or of all."""
    hits = [inner is None or (isinstance(each, dict) and matches(inner, each)) for each in before]
    if op == "remove" and not sub:
        return [each for each, hit in zip(before, hits, strict=True) if not hit]
    if not any(hits):
        if op == "remove":
            return before
        fresh = _described(attribute, inner)
        before, hits = [*before, fresh], [*hits, True]
    after = []
    for each, hit in zip(before, hits, strict=True):
        changed = each
        if hit:
            changed = _with_part(attribute, each, op, sub, value) if sub else _merged(attribute, each, value)
        if changed != {}:
            after.append(changed)
    last = [each for each, hit in zip(after, hits, strict=False) if hit and each.get("primary")]
    if last:
        after = [
            each if each is last[-1] else {**each, **({"primary": False} if each.get("primary") else {})}
            for each in after
        ]
    return after


def _merged(attribute: Attribute, before: Mapping[str, Any], value: Any) -> dict[str, Any]:  # noqa: ANN401 (any JSON)
    if not isinstance(value, dict):
        raise BadValue(f"A value of {attribute['name']} is an object.", "Give its parts.", param="value")
    return {**before, **form(value, parts_of(attribute))}


def _described(attribute: Attribute, inner: Filter | None) -> dict[str, Any]:
    """A new value as a filter describes it; raises NoTarget where it does not say what it is."""
    if inner is None:
        return {}
    if isinstance(inner, Both) and not inner.either:
        return {**_described(attribute, inner.left), **_described(attribute, inner.right)}
    piece = parts_of(attribute).get(inner.path.name) if isinstance(inner, Compare) and inner.operator == "eq" else None
    if piece is None or not isinstance(inner, Compare):
        raise NoTarget(f"No value of {attribute['name']} is like this.", "Add it first.", param="path")
    return {piece["name"]: shape(piece, inner.value)}
