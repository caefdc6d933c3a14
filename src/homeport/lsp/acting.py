"""Doing something with selected code: asking, showing how it goes, and putting the answer where it belongs."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.uris import from_fs_path, to_fs_path

from homeport.lsp.actions import SELECTION, code_of, file_for_tests, in_place, last_line, messages
from homeport.lsp.positions import offset_at
from homeport.lsp.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from concurrent.futures import Future

    from homeport.lsp.actions import Action
    from homeport.lsp.server import Server

MESSAGE = 4000
"""Characters of an answer that is shown as a message, where the editor shows no documents."""
EVERY = 120
"""Characters of an answer between two steps of the progress bar."""


class Selection(NamedTuple):
    """Code that somebody selected."""

    uri: str
    range: types.Range
    version: int | None
    before: str
    code: str
    after: str


async def perform(server: Server, action: Action, arguments: Sequence[Any]) -> dict[str, str] | None:
    """Do it; gives the answer's text, for editors that make more of it."""
    selection = selected(server, arguments)
    if selection is None or not selection.code.strip():
        server.tell(f"{action.title} wants code to work on: select some.")
        return None
    if len(selection.code) > SELECTION:
        server.tell(f"{action.title}: more than {SELECTION:,} characters are selected. Select less.")
        return None
    try:
        said = await _asked(server, action, selection)
    except Trouble as trouble:
        server.tell(f"{action.title}: {trouble.text}")
        return None
    if said is not None:
        await _put(server, action, selection, said)
    return {"text": said or ""}


def selected(server: Server, arguments: Sequence[Any]) -> Selection | None:
    """What is selected, of a command's arguments: a document's URI and a range."""
    try:
        uri, found = str(arguments[0]), server.converter.structure(arguments[1], types.Range)
    except Exception:  # noqa: BLE001 (whatever an editor sends that is no range)
        return None
    document = server.document(uri)
    if document is None:
        return None
    text = document.source
    start, end = (offset_at(text, each, server.encoding) for each in (found.start, found.end))
    return Selection(uri, found, document.version, text[:start], text[start:end], text[end:])


async def _asked(server: Server, action: Action, selection: Selection) -> str | None:
    """The answer; None when somebody cancelled it."""
    name, language = server.described(selection.uri)
    asked = messages(action, name, language, (selection.before, selection.code, selection.after))
    async with _progress(server, action.title) as report:
        task = asyncio.create_task(server.homeport.chat(asked, server.chat_model(action), report.heard))
        report.cancels(task)
        try:
            return await task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            return None


class _Report:
    """How far an answer is, for the editor's progress bar; for none, if it has none."""

    def __init__(self, server: Server, token: str) -> None:
        self._server = server
        self._token = token
        self._next = 0

    def heard(self, said: str) -> None:
        if self._token and len(said) >= self._next:
            self._next = len(said) + EVERY
            step = types.WorkDoneProgressReport(message=last_line(said))
            self._server.work_done_progress.report(self._token, step)

    def cancels(self, task: asyncio.Task[Any]) -> None:
        """Have the editor's button end this task, and its `$/cancelRequest`."""

        def end(future: Future[Any]) -> None:
            if future.cancelled():
                task.cancel()

        protocol = self._server.protocol
        request = protocol._request_futures.get(protocol.msg_id or "")  # noqa: SLF001 (pygls cancels no more than this)
        for future in (self._server.work_done_progress.tokens.get(self._token), request):
            if future is not None:
                future.add_done_callback(end)


@asynccontextmanager
async def _progress(server: Server, title: str) -> AsyncIterator[_Report]:
    window = server.client_capabilities.window
    if window is None or not window.work_done_progress:
        if server.held_up:
            server.tell(f"{title}: a model is asked; go on meanwhile.", types.MessageType.Info)
        yield _Report(server, "")
        return
    token = uuid.uuid4().hex
    progress = server.work_done_progress
    try:
        await progress.create_async(token)
    except JsonRpcException:  # an editor may have no room for one more
        yield _Report(server, "")
        return
    progress.begin(token, types.WorkDoneProgressBegin(title=title, cancellable=True))
    try:
        yield _Report(server, token)
    finally:
        progress.end(token, types.WorkDoneProgressEnd())
        progress.tokens.pop(token, None)


async def _put(server: Server, action: Action, selection: Selection, said: str) -> None:
    code = code_of(said)
    file = Path(to_fs_path(selection.uri) or "untitled")
    if action.edits and code is not None and await _replaced(server, action, selection, code):
        return
    if action.creates and code is not None:
        wanted = file.with_name(file_for_tests(file.name))
        if not await _created(server, action, wanted, code):
            await _show(server, wanted.name, code)
        return
    await _show(server, f"{action.command.rpartition('.')[2]}-{file.name}.md", said)


async def _replaced(server: Server, action: Action, selection: Selection, code: str) -> bool:
    """Whether the code has taken the selection's place, which must be as it was."""
    now = server.document(selection.uri)
    whole = selection.before + selection.code + selection.after
    if now is None or now.source != whole:
        server.tell(f"{action.title}: the file was changed meanwhile, so the answer is shown beside it.")
        return False
    edit = types.TextEdit(selection.range, in_place(code, selection.code))
    document = types.OptionalVersionedTextDocumentIdentifier(selection.uri, selection.version)
    return await _applied(server, action, [types.TextDocumentEdit(document, [edit])])


async def _created(server: Server, action: Action, file: Path, code: str) -> bool:
    """Whether the editor made a new file of it; one that is there already stays as it is."""
    edits = _edits(server)
    operations = edits.resource_operations if edits and edits.document_changes else None
    if types.ResourceOperationKind.Create not in (operations or ()) or await asyncio.to_thread(file.exists):
        return False
    uri = from_fs_path(str(file)) or ""
    start = types.Range(types.Position(0, 0), types.Position(0, 0))
    document = types.OptionalVersionedTextDocumentIdentifier(uri, None)
    changes = [types.CreateFile(uri), types.TextDocumentEdit(document, [types.TextEdit(start, code)])]
    done = await _applied(server, action, changes)
    if done:
        await _opened(server, uri)
    return done


async def _applied(server: Server, action: Action, changes: Sequence[Any]) -> bool:
    workspace, edits = server.client_capabilities.workspace, _edits(server)
    if workspace is None or not workspace.apply_edit:
        return False
    if edits and edits.document_changes:
        edit = types.WorkspaceEdit(document_changes=list(changes))
    else:
        edit = types.WorkspaceEdit(changes={each.text_document.uri: each.edits for each in changes})
    told = await server.workspace_apply_edit_async(types.ApplyWorkspaceEditParams(edit, label=action.title))
    return told.applied


def _edits(server: Server) -> types.WorkspaceEditClientCapabilities | None:
    workspace = server.client_capabilities.workspace
    return workspace.workspace_edit if workspace else None


async def _show(server: Server, name: str, text: str) -> None:
    """A text as a document of its own, or as a message where the editor opens none."""
    window = server.client_capabilities.window
    if window is not None and window.show_document is not None and window.show_document.support:
        file = await asyncio.to_thread(server.papers.write, name, text)
        if await _opened(server, from_fs_path(str(file)) or ""):
            return
    server.tell(text[:MESSAGE], types.MessageType.Info)


async def _opened(server: Server, uri: str) -> bool:
    window = server.client_capabilities.window
    if window is None or window.show_document is None or not window.show_document.support:
        return False
    told = await server.window_show_document_async(types.ShowDocumentParams(uri, take_focus=True))
    return told.success
