"""An editor with our language server: pygls' own client, over standard input and output."""

from __future__ import annotations

import ast
import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from house import eventually
from lsprotocol import types
from pygls.lsp.client import LanguageClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

PROGRAM = Path(sys.executable).with_name("homeport")
INLINE = {"textDocument": {"inlineCompletion": {}}}
EVERYTHING = {
    **INLINE,
    "window": {"workDoneProgress": True, "showDocument": {"support": True}},
    "workspace": {"applyEdit": True, "workspaceEdit": {"documentChanges": True, "resourceOperations": ["create"]}},
}
AUTOMATIC, INVOKED = types.InlineCompletionTriggerKind.Automatic, types.InlineCompletionTriggerKind.Invoked


class Editor:
    """What a person sees of it, and short ways to type."""

    def __init__(self, client: LanguageClient, root: Path) -> None:
        self.client = client
        self.root = root
        self.messages: list[str] = []
        self.edits: list[Any] = []
        self.shown: list[tuple[str, str]] = []
        """Names and texts of documents that it was told to show."""
        self.progress: list[Any] = []
        """Tokens of progress bars, and what they showed."""
        self.steps: list[str] = []
        self.applies = True
        self.texts: dict[str, str] = {}
        self.complaints = b""
        """What the server wrote on standard error."""
        self._versions: dict[str, int] = {}

    def uri(self, name: str) -> str:
        """A file of the project."""
        return (self.root / name).as_uri()

    def open(self, name: str, text: str) -> None:
        """Open a document."""
        self.texts[name], self._versions[name] = text, 1
        item = types.TextDocumentItem(self.uri(name), "python", 1, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def close(self, name: str) -> None:
        """Close it."""
        identifier = types.TextDocumentIdentifier(self.uri(name))
        self.client.text_document_did_close(types.DidCloseTextDocumentParams(identifier))

    def type(self, name: str, text: str) -> None:
        """Change the whole text."""
        self.texts[name] = text
        self._versions[name] += 1
        identifier = types.VersionedTextDocumentIdentifier(self._versions[name], self.uri(name))
        change = types.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(identifier, [change]))

    def at(self, name: str, offset: int | None = None) -> types.Position:
        """A position; by itself the end of the text."""
        before = self.texts[name][:offset]
        return types.Position(before.count("\n"), len(before.rpartition("\n")[2].encode("utf-16-le")) // 2)

    def asking(
        self, name: str, offset: int | None = None, how: Any = INVOKED, number: str | None = None
    ) -> asyncio.Future[Any]:
        """Ask for a suggestion; by itself at the end of the text. `number`: the request's, to cancel it by."""
        params = types.InlineCompletionParams(
            types.InlineCompletionContext(how), types.TextDocumentIdentifier(self.uri(name)), self.at(name, offset)
        )
        asked = self.client.protocol.send_request(types.TEXT_DOCUMENT_INLINE_COMPLETION, params, msg_id=number)
        return asyncio.wrap_future(asked)

    def cancel(self, number: str) -> None:
        """Want an answer no longer."""
        self.client.protocol.notify(types.CANCEL_REQUEST, types.CancelParams(number))

    async def suggested(self, name: str, offset: int | None = None, how: Any = INVOKED) -> list[Any]:
        """What is suggested."""
        return list((await self.asking(name, offset, how)).items)

    async def typed(self, name: str, text: str, how: Any = INVOKED) -> list[str]:
        """What is suggested once the text is this."""
        self.type(name, text)
        return [each.insert_text for each in await self.suggested(name, how=how)]

    async def run(self, command: Any) -> Any:
        """Run a command, as it came with something."""
        params = types.ExecuteCommandParams(command.command, command.arguments)
        return await self.client.workspace_execute_command_async(params)

    async def actions(self, name: str, code: str, only: Sequence[str] | None = None) -> dict[str, Any]:
        """The command of what can be done with this code of a document, by title."""
        start = self.texts[name].index(code)
        selected = types.Range(self.at(name, start), self.at(name, start + len(code)))
        context = types.CodeActionContext(diagnostics=[], only=only)
        params = types.CodeActionParams(types.TextDocumentIdentifier(self.uri(name)), selected, context)
        found = await self.client.text_document_code_action_async(params)
        # lsprotocol takes an action that has a command for the command itself
        commands = (ast.literal_eval(each.command) for each in found)
        return {
            each["title"]: types.Command(each["title"], each["command"], arguments=each["arguments"])
            for each in commands
        }


def _listen(editor: Editor) -> None:
    client = editor.client

    @client.feature(types.WINDOW_SHOW_MESSAGE)
    def message(params: types.ShowMessageParams) -> None:
        editor.messages.append(params.message)

    @client.feature(types.WORKSPACE_APPLY_EDIT)
    def edit(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
        editor.edits.append(params.edit)
        return types.ApplyWorkspaceEditResult(applied=editor.applies)

    @client.feature(types.WINDOW_SHOW_DOCUMENT)
    def show(params: types.ShowDocumentParams) -> types.ShowDocumentResult:
        file = Path(unquote(params.uri.removeprefix("file://")))
        editor.shown.append((file.name, file.read_text() if file.exists() else ""))
        return types.ShowDocumentResult(success=True)

    @client.feature(types.WINDOW_WORK_DONE_PROGRESS_CREATE)
    def create(params: types.WorkDoneProgressCreateParams) -> None:
        editor.progress.append(params.token)

    @client.feature(types.PROGRESS)
    def progress(params: types.ProgressParams) -> None:
        editor.progress.append(params.value)
        editor.steps.append(params.value["kind"])


@asynccontextmanager
async def editing(
    root: Path, *arguments: str, capabilities: Any = EVERYTHING, name: str = "Scripted editor", **options: Any
) -> AsyncIterator[Editor]:
    """An editor with our language server in a project; `options` are its initializationOptions."""
    client = LanguageClient("Scripted editor", "1")
    editor = Editor(client, root)
    _listen(editor)
    await client.start_io(str(PROGRAM), "lsp", *arguments)
    process = client._server  # noqa: SLF001 (pygls tells nobody else what the server writes)
    able = client.protocol._converter.structure(capabilities, types.ClientCapabilities)  # noqa: SLF001 (from JSON)
    await client.initialize_async(
        types.InitializeParams(
            able,
            client_info=types.ClientInfo(name, "1"),
            workspace_folders=[types.WorkspaceFolder(root.as_uri(), root.name)],
            initialization_options=options or None,
        )
    )
    client.initialized(types.InitializedParams())
    try:
        yield editor
    finally:
        await client.shutdown_async(None)
        client.exit(None)
        assert process is not None
        assert process.stderr is not None
        editor.complaints = await process.stderr.read()
        await eventually(lambda: process.returncode is not None)
        await client.stop()
        assert process.returncode == 0
