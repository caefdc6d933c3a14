"""Documentation search, the list of models and what only the cloud has, asked as GitLab asks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from house import FIM, PREFIX, WORDS, eventually, opened
from prometheus_client import generate_latest

from homeport.domain.models import FeatureSetting
from homeport.protocols.gitlab_cloud_only import ABSENT
from homeport.store.docs_build import build

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from house import House

PATH = "/v1/search/gitlab-docs"


@pytest.fixture(scope="module")
async def searching(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[House, Path]]:
    """A gateway whose index may be there or not."""
    file = tmp_path_factory.mktemp("docs") / "docs.db"
    async with opened(docs_index=file) as house:
        yield house, file


@pytest.fixture
async def house(searching: tuple[House, Path], tmp_path: Path) -> AsyncIterator[House]:
    """The gateway with an index of three pages."""
    house, file = searching
    house.furnish()
    house.records()
    house.logs.lines.clear()
    house.asked = 0
    written(tmp_path, {"ci/runners.md": "---\ntitle: Runners\n---\n## Register\nRegister a runner with a token.\n"})
    written(tmp_path, {"backup.md": "# Backup\nBack up the database.\n", "runner.md": "# More\nAnother runner.\n"})
    build(tmp_path, file, base_url="http://gitlab.example/help")
    yield house
    await eventually(house.quiet)


def written(folder: Path, pages: dict[str, str]) -> Path:
    for name, text in pages.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def body(query: Any, **payload: Any) -> dict[str, Any]:
    """What GitLab sends."""
    return {
        "type": "search-docs",
        "metadata": {"source": "GitLab EE", "version": "18.2.0"},
        "payload": {"query": query, **payload},
    }


async def test_document(house: House) -> None:
    answer = await house.post(PATH, body("How do I register a runner?", page_size=1))
    assert answer.status == 200
    found = answer.json
    assert found["metadata"].pop("timestamp") > 1_700_000_000
    assert found == {
        "response": {
            "results": [
                {
                    "id": "ci/runners.md",
                    "content": "Register\n\nRegister a runner with a token.",
                    "metadata": {
                        "filename": "ci/runners.md",
                        "title": "Runners",
                        "heading": "Register",
                        "source_url": "http://gitlab.example/help/ci/runners",
                    },
                }
            ]
        },
        "metadata": {"provider": "sqlite"},
    }
    assert float(str(answer.header("x-process-time"))) > 0


async def results(house: House, asked: Any) -> list[str]:
    answer = await house.post(PATH, asked)
    assert answer.status == 200
    return [each["id"] for each in answer.json["response"]["results"]]


async def test_page_size(house: House, tmp_path: Path, searching: tuple[House, Path]) -> None:
    build(written(tmp_path, {f"{n}.md": f"# Page {n}\nzebra" for n in range(30)}), searching[1])
    assert len(await results(house, body("zebra"))) == 4
    for size in (1, 7, 20):
        assert len(await results(house, body("zebra", page_size=size))) == size


@pytest.mark.parametrize("size", [0, 21, -1, 1.5, "many", None])
async def test_wrong_page_size(house: House, size: Any) -> None:
    answer = await house.post(PATH, body("zebra", page_size=size))
    assert answer.status == 422
    assert "payload.page_size" in answer.json["detail"][0]["msg"]


@pytest.mark.parametrize(
    "wrong", [{}, {"payload": {}}, {"payload": {"query": 1}}, body("x" * 400_001), {**body("x"), "type": "x" * 101}]
)
async def test_wrong_bodies(house: House, wrong: Any) -> None:
    answer = await house.post(PATH, wrong)
    assert answer.status == 422
    assert isinstance(answer.json["detail"][0]["msg"], str)


@pytest.mark.parametrize(
    "query",
    ["", '"', "runner AND", "NOT (", "* OR", "title:x", "'; DROP TABLE passages; --", "\0", "x" * 400_000, "🦓 ñ 中文"],
)
async def test_any_text_is_a_question(house: House, query: str) -> None:
    await results(house, body(query, page_size=20))


async def test_lenient_body(house: House) -> None:
    assert await results(house, {"payload": {"query": "backup", "unknown": 1}, "metadata": None}) == ["backup.md"]


async def test_results_are_cut_to_what_a_model_can_read(
    house: House, tmp_path: Path, searching: tuple[House, Path]
) -> None:
    pages = {f"{n}.md": f"# Page {n}\n" + "zebra lion a b c d e f g h\n" * 100 for n in range(20)}
    build(written(tmp_path, pages), searching[1])
    found = (await house.post(PATH, body("zebra", page_size=20))).json["response"]["results"]
    words = sum(len(each["content"].split()) for each in found)
    assert 4_000 < words * 1.4 < 8_200


async def test_no_index_is_an_empty_result(house: House, searching: tuple[House, Path]) -> None:
    searching[1].unlink()
    assert await results(house, body("runner")) == []
    searching[1].write_bytes(b"garbage")
    assert await results(house, body("runner")) == []
    (wrong,) = [line for line in house.logs.lines if line["level"] == "error"]
    assert "cannot be used as documentation index" in wrong["reason"]


async def test_a_new_index_needs_no_restart(house: House, tmp_path: Path, searching: tuple[House, Path]) -> None:
    assert await results(house, body("giraffe")) == []
    build(written(tmp_path, {"giraffe.md": "# Giraffe\ntall"}), searching[1])
    assert await results(house, body("giraffe")) == ["giraffe.md"]


async def test_scope(house: House) -> None:
    token = house.admit(scopes=frozenset({"documentation_search"}))
    assert (await house.post(PATH, body("runner"), token=token)).status == 200
    token = house.admit(scopes=frozenset({"duo_chat"}))
    refused = await house.post(PATH, body("runner"), token=token)
    assert refused.status == 403
    assert "documentation_search" in refused.json["detail"][0]["msg"]
    nobody = await house.post(PATH, body("runner"), token="")
    assert (nobody.status, set(nobody.json)) == (401, {"error"})


async def test_questions_are_not_logged(house: House) -> None:
    await house.post(PATH, body("canary-of-the-question"))
    await house.post(PATH, body("canary-of-the-question", page_size=99))
    await eventually(house.quiet)
    assert "canary" not in str(house.logs.lines)


async def test_model_list(house: House) -> None:
    house.assign("merge_commit_message", "model", PREFIX)
    house.assign("chat_write_tests", "disabled")
    house.assign("code_review", "disabled")
    answer = await house.get("/v1/models/definitions", token="")
    assert answer.status == 200
    found = answer.json
    names = sorted([FIM, PREFIX, WORDS])
    assert found["models"] == [{"name": name, "identifier": name} for name in names]
    features = {each.pop("feature_setting"): each for each in found["unit_primitives"]}
    assert features["code_completions"] == {
        "default_model": FIM,
        "selectable_models": names,
        "beta_models": [],
        "unit_primitives": ["complete_code"],
    }
    assert features["duo_chat"]["default_model"] == WORDS
    assert features["duo_chat_explain_code"]["default_model"] == WORDS
    assert features["generate_commit_message"]["default_model"] == PREFIX
    assert "duo_chat_write_tests" not in features
    assert "review_merge_request" not in features


async def test_model_list_says_nothing_that_is_not_for_everybody(house: House) -> None:
    house.snapshot = house.snapshot.with_models(house.model("off", enabled=False, identifier="secret-name"))
    text = (await house.get("/v1/models/definitions", token="")).body.decode()
    for hidden in ("127.0.0.1", "http", "served-", "secret-name", "off", "sk-"):
        assert hidden not in text
    house.snapshot = type(house.snapshot)(features={"chat": FeatureSetting(feature="chat", assignment="inherit")})
    assert json.loads((await house.get("/v1/models/definitions", token="")).body) == {
        "models": [],
        "unit_primitives": [],
    }


CLOUD = [
    ("/v1/proxy/anthropic/v1/messages", "Anthropic"),
    ("/v1/proxy/anthropic/v1/complete", "Anthropic"),
    ("/v1/proxy/vertex-ai/v1/projects/p/locations/l/publishers/google/models/m:predict", "Google"),
    ("/v1/proxy/openai/v1/chat/completions", "OpenAI"),
    ("/v1/x-ray/libraries", "X-Ray"),
    ("/v1/amazon_q/oauth/application", "Amazon Q"),
    ("/v1/amazon_q/oauth/application/delete", "Amazon Q"),
    ("/v1/amazon_q/events", "Amazon Q"),
    ("/v1/embeddings/code_embeddings", "embeddings"),
    ("/v1/embeddings/code_embeddings/search", "embeddings"),
]


@pytest.mark.parametrize(("path", "what"), CLOUD)
async def test_what_only_the_cloud_has(house: House, path: str, what: str) -> None:
    for sent in ({"x": 1}, b"not json", b""):
        answer = await house.post(path, sent)
        assert answer.status == 404
        (only,) = answer.json["detail"]
        assert only["msg"].startswith("This endpoint is not offered: ")
        assert what in only["msg"]
        assert "GitLab's cloud" in only["msg"]
    assert float(str(answer.header("x-process-time"))) > 0
    nobody = await house.post(path, {"x": 1}, token="")
    assert (nobody.status, set(nobody.json)) == (401, {"error"})
    assert (await house.get(path)).status == 405


def test_every_absent_endpoint_is_tried() -> None:
    prefixes = [path.removesuffix("{path}") for path in ABSENT]
    assert [each for each in prefixes if not any(path.startswith(each) for path, _ in CLOUD)] == []


async def test_paths_of_absent_endpoints_make_no_new_series(house: House) -> None:
    for number in range(5):
        await house.post(f"/v1/proxy/openai/{number}", {})
    await eventually(house.quiet)
    assert len({line["path"] for line in house.records()}) == 5
    page = generate_latest(house.metrics.registry).decode()
    assert "/v1/proxy/openai/{path}" in page
    assert "/v1/proxy/openai/3" not in page
