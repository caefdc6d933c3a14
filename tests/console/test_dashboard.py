"""The Grafana dashboard asks for series and labels that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from offices import office_at
from prometheus_client import CollectorRegistry, generate_latest

if TYPE_CHECKING:
    from collections.abc import Iterator


BOARD = orjson.loads((Path(__file__).parents[2] / "examples/grafana/homeport.json").read_bytes())
EXPRESSIONS = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
SERIES = re.compile(r"\b([a-z]+(?:_[a-z]+)+)(?=[{\[)])(?:\{([^}]*)\})?")
OF_HISTOGRAMS = re.compile(r"_(bucket|count|sum)$")


@pytest.fixture(scope="module")
async def offered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Every series of a running instance and its labels, without `le`."""
    async with office_at(tmp_path_factory.mktemp("office")) as office:
        return series(office.house.metrics.registry)


def series(registry: CollectorRegistry) -> dict[str, set[str]]:
    """Labels by name of series."""
    scraped = re.findall(r"^# TYPE (\S+) ", generate_latest(registry).decode(), re.MULTILINE)
    labels = {}
    for told in registry.collect():
        name = f"{told.name}_total" if told.type == "counter" else told.name
        labels[name] = set(getattr(told, "_labelnames", ()))
    return {name: labels.get(name, set()) for name in scraped}


def asked(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Each series of an expression with the labels that it is filtered and grouped by."""
    grouped = {each for listed in re.findall(r"by \(([^)]*)\)", expression) for each in re.split(r",\s*", listed)}
    for name, filters in SERIES.findall(re.sub(r"by \([^)]*\)", "", expression)):
        yield OF_HISTOGRAMS.sub("", name), (grouped - {"le"}) | set(re.findall(r"(\w+)[=!]~?\"", filters))


@pytest.mark.parametrize("expression", EXPRESSIONS)
async def test_every_expression_asks_for_what_there_is(expression: str, offered: dict[str, set[str]]) -> None:
    found = list(asked(expression))
    assert found
    for name, labels in found:
        assert name in offered
        assert labels <= offered[name], name


def test_variables_ask_for_what_there_is() -> None:
    queries: list[Any] = [each["query"]["query"] for each in BOARD["templating"]["list"] if each["type"] == "query"]
    assert queries == [
        "label_values(homeport_answers_total, model_name)",
        "label_values(homeport_answers_total, feature)",
    ]


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
