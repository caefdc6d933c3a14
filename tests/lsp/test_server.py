"""The language server as an editor sees it, in front of a real Homeport and a scripted model."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest
from editors import AUTOMATIC, Editor, editing
from house import eventually
from lsprotocol import types
from script import Peer, piece, usage_event

from homeport.lsp.asking import Homeport, Place
from homeport.lsp.options import Options
from homeport.lsp.trouble import Trouble
from homeport.store.request_log import RequestLog, address

if TYPE_CHECKING:
    from pathlib import Path

    from commands import Instance
    from script import ModelServer

    from homeport.store.log_search import Found

HEAD = "def area(w, h):\n    return "
TAIL = "\n\nprint(area(2, 3))\n"


def questions(instance: Instance) -> list[Peer]:
    """What the model was asked."""
    return [peer for peer in instance.models.heard if peer.method == "POST"]


async def life(instance: Instance, request: str, *said: str) -> Found:
    """What the request log holds of a request, once its editor has said this of it."""
    settings = instance.settings
    log = await RequestLog.open(address(settings.sqlalchemy_url(), str(settings.data_dir)))
    try:
        async with asyncio.timeout(30):
            while not (found := await log.find(request)) or found[0].reported != said:  # noqa: ASYNC110 (a database has no event)
                await asyncio.sleep(0.02)
        return found[0]
    finally:
        await log.close()


def says(*words: str) -> Any:
    """A model that says this in chat."""

    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.events([*(piece("chat", word) for word in words), piece("chat", "", "stop"), usage_event()])
        await peer.chunk(b"data: [DONE]\n\n")
        await peer.end()

    return play


async def test_a_suggestion_and_what_is_typed_along_with_it(instance: Instance, editor: Editor) -> None:
    instance.models.words = ["w * h"]
    editor.open("along.py", HEAD + TAIL)
    (item,) = await editor.suggested("along.py", len(HEAD))
    assert item.insert_text == "w * h"
    assert (item.range.start, item.range.end) == (types.Position(1, 11), types.Position(1, 11))
    for typed, left in {"w": " * h", "w *": " h", "w * x": None, "w ": "* h"}.items():
        if left is not None:
            editor.type("along.py", HEAD + typed + TAIL)
            found = await editor.suggested("along.py", len(HEAD + typed))
            assert [each.insert_text for each in found] == [left], typed
    (asked,) = questions(instance)
    assert "return " in asked.json["prompt"]
    assert "print(area(2, 3))" in asked.json["prompt"]


async def test_several_lines_where_nothing_follows_and_one_where_something_does(
    instance: Instance, editor: Editor
) -> None:
    instance.models.words = ["w = 2\n", "    h = 3\n", "    return w * h"]
    assert await _opened(editor, "lines.py", "def area():\n    ") == ["w = 2\n    h = 3\n    return w * h"]
    editor.open("within.py", "print()  # the area\n")
    (item,) = await editor.suggested("within.py", len("print("))
    assert "\n" not in item.insert_text
    assert "\n" in questions(instance)[-1].json["stop"]


async def _opened(editor: Editor, name: str, text: str) -> list[str]:
    editor.open(name, text)
    return [each.insert_text for each in await editor.suggested(name)]


async def test_columns_are_counted_as_the_editor_counts_them(instance: Instance, editor: Editor) -> None:
    instance.models.words = ["'x'"]
    text = "name = '😀\x0c'\nother = '😀😀', "
    assert await _opened(editor, "columns.py", text) == ["'x'"]
    assert questions(instance)[-1].json["prompt"].rstrip().endswith("<|fim_middle|>")
    assert "other = '😀😀', <|fim_suffix|>" in questions(instance)[-1].json["prompt"]


async def test_a_newer_question_ends_the_older_one_at_the_model(instance: Instance, editor: Editor) -> None:
    async def play(peer: Peer) -> None:
        if "second" in peer.json["prompt"]:
            await instance.models.behave(peer, ["1"])
        else:
            await peer.hang()

    instance.models.play = play
    editor.open("newer.py", "first = ")
    older = editor.asking("newer.py")
    first = await instance.models.next()
    assert await editor.typed("newer.py", "second = ") == ["1"]
    assert list((await older).items) == []
    await eventually(first.closed.is_set)


async def test_a_cancelled_question_ends_at_the_model(instance: Instance, editor: Editor) -> None:
    async def hang(peer: Peer) -> None:
        await peer.hang()

    instance.models.play = hang
    editor.open("cancelled.py", "value = ")
    asked = editor.asking("cancelled.py", number="to-cancel")
    peer = await instance.models.next()
    editor.cancel("to-cancel")
    with pytest.raises(Exception, match="canceled"):
        await asked
    await eventually(peer.closed.is_set)
    assert editor.messages == []


async def test_fast_typing_asks_once(instance: Instance, editor: Editor) -> None:
    instance.models.words = ["9"]
    editor.open("fast.py", "v")
    asked = [editor.asking("fast.py", how=AUTOMATIC)]
    for typed in ("va", "val", "valu", "value = "):
        editor.type("fast.py", typed)
        asked.append(editor.asking("fast.py", how=AUTOMATIC))
    found = [[each.insert_text for each in (await each).items] for each in asked]
    assert found[-1] == ["9"]
    assert found[1:-1] == [[], [], []]
    assert len(questions(instance)) <= 2
    assert "value = " in questions(instance)[-1].json["prompt"]


async def test_other_files_are_sent_and_the_request_log_names_them(
    instance: Instance, editor: Editor, project: Path
) -> None:
    (project / "shapes").mkdir()
    (project / "shapes" / "round.py").write_text(
        "class Circle:\n    radius: float\n    def area(self) -> float:\n        secret = 3\n"
    )
    (project / "shapes" / "square.py").write_text("def side_of(area: float) -> float:\n    return area**0.5\n")
    (project / "shapes" / ".env.py").write_text("TOKEN = 'hidden'\n")
    instance.models.words = ["Circle()"]
    editor.open("shapes/open.py", "LIMIT = 10\n")
    assert await _opened(editor, "shapes/main.py", "from shapes.round import Circle\n\nshape = ") == ["Circle()"]
    prompt = questions(instance)[-1].json["prompt"]
    for shown in ("class Circle:", "radius: float", "def area(self) -> float:", "def side_of", "LIMIT = 10"):
        assert shown in prompt, shown
    for hidden in ("secret", "hidden", "area**0.5"):
        assert hidden not in prompt, hidden
    (item,) = await editor.suggested("shapes/main.py")
    found = await life(instance, item.command.arguments[0], "shown")
    used = dict(found.context)
    assert used.keys() >= {"shapes/round.py", "shapes/square.py", "shapes/open.py"}
    assert used["shapes/open.py"] == len("LIMIT = 10\n")
    assert found.traits.client == "homeport-lsp"
    assert "Circle" not in repr(found)
    shown = (await instance.run("logs", found.correlation_id)).out
    assert f"shapes/open.py: {used['shapes/open.py']} characters" in shown


async def test_what_became_of_suggestions_is_counted(instance: Instance, editor: Editor) -> None:
    instance.models.words = ["10"]
    await _opened(editor, "taken.py", "taken = ")
    (taken,) = await editor.suggested("taken.py")
    await editor.run(taken.command)
    await _opened(editor, "left.py", "left = ")
    (left,) = await editor.suggested("left.py")
    editor.close("left.py")
    await editor.run(types.Command("", "homeport.accepted", arguments=["of-somebody-else"]))
    await life(instance, taken.command.arguments[0], "shown", "accepted")
    await life(instance, left.command.arguments[0], "shown", "rejected")
    (used,) = [
        each
        for each in (await instance.run("usage", "--by", "feature", "--json")).json
        if each["name"] == "code_completions"
    ]
    assert used["accepted"] == 1
    assert used["offered"] >= 2


FIXED = "def half(n):\n    return n / 2\n"


async def test_a_fix_takes_the_place_of_the_selection(instance: Instance, editor: Editor) -> None:
    broken = "def half(n):\n    return n / 3\n"
    editor.open("fix.py", f"import os\n\n{broken}\nprint(half(2))\n")
    instance.models.play = says("Here it is:\n", f"```python\n{FIXED}```\n")
    actions = await editor.actions("fix.py", broken)
    assert list(actions) == ["Homeport: explain", "Homeport: fix", "Homeport: write tests", "Homeport: refactor"]
    told = await editor.run(actions["Homeport: fix"])
    assert FIXED in told["text"]
    (edit,) = editor.edits
    (change,) = edit.document_changes[0].edits
    assert (change.new_text, change.range) == (FIXED, types.Range(types.Position(2, 0), types.Position(4, 0)))
    asked = questions(instance)[-1].json["messages"]
    assert f"<selection>\n{broken}\n</selection>" in asked[-1]["content"]
    assert "import os" in asked[-1]["content"]
    assert (editor.steps[0], set(editor.steps[1:-1]), editor.steps[-1]) == ("begin", {"report"}, "end")


async def test_a_refactoring_keeps_the_indentation(instance: Instance, editor: Editor) -> None:
    editor.open("indent.py", "class A:\n    def f(self):\n        return 1\n")
    instance.models.play = says("```\ndef f(self):\n    return 2\n```")
    actions = await editor.actions("indent.py", "    def f(self):\n        return 1\n", ["refactor"])
    assert list(actions) == ["Homeport: refactor"]
    await editor.run(actions["Homeport: refactor"])
    assert editor.edits[0].document_changes[0].edits[0].new_text == "    def f(self):\n        return 2\n"


async def test_an_explanation_is_a_document(instance: Instance, editor: Editor) -> None:
    editor.open("explained.py", "x = [n for n in range(9)]\n")
    instance.models.play = says("It makes ", "a list.")
    await editor.run((await editor.actions("explained.py", "x = [n"))["Homeport: explain"])
    assert editor.shown == [("explain-explained.py.md", "It makes a list.")]
    assert editor.edits == []


async def test_tests_become_a_file_of_their_own(instance: Instance, editor: Editor, project: Path) -> None:
    editor.open("tested.py", FIXED)
    instance.models.play = says("```python\nfrom tested import half\n```")
    action = (await editor.actions("tested.py", FIXED))["Homeport: write tests"]
    await editor.run(action)
    created, filled = editor.edits[0].document_changes
    assert created.uri == filled.text_document.uri == editor.uri("test_tested.py")
    assert filled.edits[0].new_text == "from tested import half\n"
    (project / "test_tested.py").write_text("precious\n")
    await editor.run(action)
    assert len(editor.edits) == 1
    assert editor.shown[-1] == ("test_tested.py", "from tested import half\n")


async def test_an_answer_that_no_longer_fits_is_shown_beside_it(instance: Instance, editor: Editor) -> None:
    editor.open("moved.py", FIXED)
    action = (await editor.actions("moved.py", FIXED))["Homeport: fix"]

    async def play(peer: Peer) -> None:
        editor.type("moved.py", "# mine\n" + FIXED)
        assert await editor.suggested("nothing-there.py") == []  # the change has arrived
        await says("```\n1\n```")(peer)

    editor.texts["nothing-there.py"] = ""
    instance.models.play = play
    await editor.run(action)
    assert editor.edits == []
    assert [name for name, _ in editor.shown] == ["fix-moved.py.md"]
    assert "changed meanwhile" in editor.messages[0]


async def test_an_action_is_cancelled_where_its_progress_is_shown(instance: Instance, editor: Editor) -> None:
    editor.open("long.py", FIXED)

    async def hang(peer: Peer) -> None:
        await peer.hang()

    instance.models.play = hang
    action = (await editor.actions("long.py", FIXED))["Homeport: explain"]
    params = types.ExecuteCommandParams(action.command, action.arguments)
    running = editor.client.protocol.send_request(types.WORKSPACE_EXECUTE_COMMAND, params)
    peer = await instance.models.next()
    token = next(each for each in editor.progress if isinstance(each, str))
    editor.client.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(token))
    await eventually(running.done)
    await eventually(peer.closed.is_set)
    assert running.result() == {"text": ""}
    params = types.ExecuteCommandParams(action.command, action.arguments)
    editor.client.protocol.send_request(types.WORKSPACE_EXECUTE_COMMAND, params, msg_id="an action")
    peer = await instance.models.next(2)
    editor.cancel("an action")
    await eventually(peer.closed.is_set)
    assert editor.shown == []


async def test_emacs_takes_keys_while_a_model_writes(instance: Instance, project: Path) -> None:
    token, written = (instance.settings.data_dir / "token").read_text().strip(), asyncio.Event()

    async def play(peer: Peer) -> None:
        await written.wait()
        await says("```\n1\n```")(peer)

    instance.models.play = play
    able = {"workspace": {"applyEdit": True, "workspaceEdit": {"documentChanges": True}}}
    async with editing(project, "--url", instance.url, capabilities=able, name="Eglot", token=token) as editor:
        editor.open("held.py", FIXED)
        assert await editor.run((await editor.actions("held.py", FIXED))["Homeport: fix"]) is None
        assert editor.edits == []
        assert editor.messages == ["Homeport: fix: a model is asked; go on meanwhile."]
        written.set()
        await eventually(lambda: bool(editor.edits))
        assert editor.edits[0].document_changes[0].edits[0].new_text == "1\n"
        instance.models.play = Peer.hang
        await editor.run((await editor.actions("held.py", FIXED))["Homeport: explain"])
        peer = await instance.models.next(2)
    await eventually(peer.closed.is_set)
    assert not editor.complaints


async def test_what_an_editor_sends_wrongly_is_a_sentence(instance: Instance, editor: Editor) -> None:
    del instance
    for arguments in ([], ["file:///nowhere.py", 3], [None, None]):
        command = types.Command("", "homeport.fix", arguments=arguments)
        assert await editor.run(command) is None
    assert set(editor.messages) == {"Homeport: fix wants code to work on: select some."}


# when it does not work


@pytest.mark.parametrize(
    ("url", "token", "says"),
    [
        (None, "", "wants a token and none is set"),
        (None, "hp_wrong", "`homeport tokens create` makes one"),
        ("http://127.0.0.1:9", "hp_any", "Nothing answers at http://127.0.0.1:9. Start it with `homeport up`"),
        ("127.0.0.1:9", "hp_any", "'127.0.0.1:9' is no address: one begins with http: or https:."),
        ("https://127.0.0.1:{}", "hp_any", "speaks plain HTTP. Set HOMEPORT_URL=http://127.0.0.1:"),
        ("http://homeport:canary@127.0.0.1:9", "hp_any", "An address with a user or a password in it is not taken."),
    ],
)
async def test_each_failure_says_what_to_do(instance: Instance, url: str | None, token: str, says: str) -> None:
    url = url and url.format(instance.url.rpartition(":")[2])
    homeport = Homeport(Options(url=url or instance.url, token=token), "tests")
    with pytest.raises(Trouble, match=re.escape(says)) as caught:
        await homeport.complete(Place("x = ", 4, "x.py", "python"))
    await homeport.close()
    assert "HOMEPORT_" in caught.value.text
    assert "hp_" not in caught.value.text
    assert "canary" not in caught.value.text


@pytest.mark.parametrize("said", [{"choices": {"text": "x"}}, {"choices": ["x"]}, ["x"], {}], ids=str)
async def test_what_is_no_homeport_is_said(server: ModelServer, said: Any) -> None:
    async def answered(peer: Peer) -> None:
        await peer.document(said)

    server.play = answered
    homeport = Homeport(Options(url=server.url, token="hp_any"), "tests")
    with pytest.raises(Trouble, match="What answers there is no Homeport"):
        await homeport.complete(Place("x = ", 4, "x.py", "python"))
    await homeport.close()


async def test_a_refused_token_is_told_once_and_repeated_nowhere(instance: Instance, tmp_path: Path) -> None:
    token, code = "hp_refused_token_9f2c", "canary_of_the_code = "
    async with editing(tmp_path, "--url", instance.url, token=token, pauseMs=0, colour=3) as editor:
        editor.open("canary.py", code)
        assert await editor.suggested("canary.py") == []
        for number in range(5):
            editor.type("canary.py", f"{code}{number}")
            assert await editor.suggested("canary.py", how=AUTOMATIC) == []
        editor.client.protocol.notify("textDocument/didChange", {"textDocument": code, "contentChanges": 3})
        await eventually(lambda: len(editor.messages) >= 2)
    wrong, refused = editor.messages[:2]
    assert wrong == "Homeport: initializationOptions: there is no option 'colour'."
    assert "homeport tokens create" in refused
    assert len([each for each in editor.messages if "token" in each]) == 1
    assert instance.models.heard == []
    for said in (*editor.messages, editor.complaints.decode()):
        assert token not in said
        assert code not in said


async def test_the_check_of_the_command_line(instance: Instance) -> None:
    instance.models.words = ["a + b"]
    token = (instance.settings.data_dir / "token").read_text().strip()
    ran = await instance.run("lsp", "--check", "--json", "--url", instance.url, HOMEPORT_TOKEN=token)
    assert (ran.code, ran.json["ok"], ran.json["text"]) == (0, True, "a + b")
    assert token not in ran.out
    file = instance.settings.data_dir / "token"
    ran = await instance.run("lsp", "--check", "--url", instance.url, "--token-file", str(file), HOMEPORT_TOKEN=None)
    assert (ran.code, ran.out.endswith("'a + b'\n")) == (0, True)
    ran = await instance.run("lsp", "--check", "--url", instance.url, HOMEPORT_TOKEN=None)
    assert (ran.code, ran.out) == (1, "")
    assert "wants a token and none is set" in ran.err
