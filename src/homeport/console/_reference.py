"""The API reference for people, drawn from the OpenAPI description: no script, nothing from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from htpy import Renderable, code, details, div, h1, h2, p, pre, section, span, summary, table, tbody, td, th, thead, tr

from homeport.console._layout import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def draw(description: Mapping[str, Any]) -> Renderable:
    """The page for an OpenAPI document."""
    schemas = description["components"]["schemas"]
    return plain(
        "API",
        h1["API"],
        p(".lead")[
            "Every endpoint of this server. Send the token as ",
            code["Authorization: Bearer …"],
            "; the machine-readable form is at ",
            code["/openapi.json"],
            ".",
        ],
        (
            section[h2[tag["name"]], (_operation(schemas, *each) for each in _operations(description, tag["name"]))]
            for tag in description["tags"]
        ),
        menu=(("/", "Welcome"), ("/openapi.json", "OpenAPI")),
    )


def _operations(description: Mapping[str, Any], tag: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            if tag in operation["tags"]:
                yield path, method, operation


def _operation(schemas: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> Renderable:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    need = operation["security"]
    scope = "no token needed" if not need else f"scope {need[0]['token'][0]}" if need[0]["token"] else "any token"
    tables = (_fields(schemas, each) for each in _forms(body))
    return details[
        summary[span(".method")[method.upper()], code[path], span[operation["summary"]], span(".soft")[scope]],
        div[tables, body and pre[code[_example(path, body["example"])]]],
    ]


def _example(path: str, example: Mapping[str, Any]) -> str:
    text = orjson.dumps(example, option=orjson.OPT_INDENT_2).decode().replace("'", "'\\''")
    head = f'curl -s $HOMEPORT{path} -H "Authorization: Bearer $TOKEN"'
    return f"{head} \\\n  -H \"Content-Type: application/json\" -d '{text}'"


def _forms(body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What a body may be: nothing, one thing, or one of several."""
    schema = body.get("schema")
    return schema.get("anyOf", (schema,)) if schema else ()


def _fields(schemas: Mapping[str, Any], form: Mapping[str, Any]) -> Renderable:
    schema = schemas[form["$ref"].rpartition("/")[2]]
    required = set(schema.get("required", ()))
    return table[
        thead[tr[th["Field"], th["Type"], th["Meaning"]]],
        tbody[
            (
                tr[
                    td[code[name], span(".soft")[" required"] if name in required else None],
                    td[code[_type(field)]],
                    td[field.get("description", "")],
                ]
                for name, field in schema.get("properties", {}).items()
            )
        ],
    ]


def _type(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "anyOf" in field:
        return " | ".join(_type(each) for each in field["anyOf"])
    if "enum" in field:
        return " | ".join(str(each) for each in field["enum"])
    kind = str(field.get("type", "any"))
    return f"{kind} of {_type(field['items'])}" if kind == "array" and field.get("items") else kind
