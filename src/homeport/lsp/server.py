"""The language server itself: what editors call, and how it is put together.

Source: Language Server Protocol 3.18. Documents are synchronised as a whole: of parts, columns and line ends would
have to be counted as the editor does, and a wrong count would spoil the text without anybody seeing it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path
from typing_extensions import override

from homeport import __version__
from homeport.lsp import acting
from homeport.lsp.actions import ACTIONS
from homeport.lsp.asking import Homeport, Place
from homeport.lsp.completing import Completing, Wanted
from homeport.lsp.items import inline_item, menu_item
from homeport.lsp.options import Options, told
from homeport.lsp.papers import Papers
from homeport.lsp.positions import Encoding, offset_at
from homeport.lsp.reports import Reports
from homeport.lsp.surroundings import Open, Other, name_of, surroundings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pygls.workspace import TextDocument

    from homeport.lsp.actions import Action
    from homeport.lsp.typed import Rest

ACCEPTED = "homeport.accepted"
"""The command that an editor runs when a suggestion was inserted; its argument is the request's id."""
TRIGGERS = (".", "(", "[", "{", "=", ":", ",", " ")
OPEN = 6
"""Open documents, those looked at last, that are sent beside one."""
HELD_UP = frozenset({"eglot", "emacs"})
"""Editors that take no key until a command is answered, and give up after ten seconds; an older one gives no name."""
FRESH_S = 10.0
"""How long what was found beside a document is taken for current while only the document itself changes."""
FIRST_S = 0.15
"""How long the first completion of a document waits for what is beside it."""


class Server(LanguageServer):
    """One editor's language server."""

    homeport: Homeport
    completing: Completing

    def __init__(self, options: Options, ca_file: Path | None = None) -> None:
        super().__init__("homeport", __version__, text_document_sync_kind=types.TextDocumentSyncKind.Full)
        self.options = options
        self.papers = Papers()
        self._ca_file = ca_file
        self._looked: dict[str, None] = {}
        """URIs of documents, the one that was looked at last at the end."""
        self._beside: dict[str, _Beside] = {}
        self._doing: set[asyncio.Task[Any]] = set()
        self.held_up = False
        """The editor waits for the answer to a command, and for nothing else."""
        self._ended = True
        """Nothing is to be let go of: no editor has begun yet, or it has left."""

    @property
    def converter(self) -> Any:  # noqa: ANN401 (cattrs' own)
        """Makes the protocol's types of JSON."""
        return self.protocol._converter  # noqa: SLF001 (pygls has no other way to it)

    @property
    def encoding(self) -> Encoding:
        """The unit of columns that the editor and we agreed on."""
        chosen = str(getattr(self.server_capabilities.position_encoding, "value", "utf-16"))
        return {"utf-8": "utf-8", "utf-32": "utf-32"}.get(chosen, "utf-16")  # type: ignore[return-value]

    def begin(self, params: types.InitializeParams) -> None:
        """Take what the editor says of itself; needs the running loop."""
        self._ended = False
        self.options = told(self.options, params.initialization_options)
        editor = params.client_info.name if params.client_info else ""
        self.held_up = not editor or editor.lower() in HELD_UP
        self.homeport = Homeport(self.options, _agent(editor or "an editor"), self._ca_file)
        self.reports = Reports(self.homeport.report)
        self.completing = Completing(
            self.homeport.complete, self.beside, self.reports, self.tell, pause_s=self.options.pause_ms / 1000
        )
        text_document = params.capabilities.text_document
        inline = text_document is not None and text_document.inline_completion is not None
        if self.options.menu or (self.options.menu is None and not inline):
            way = types.CompletionOptions(trigger_characters=list(TRIGGERS))
            self.feature(types.TEXT_DOCUMENT_COMPLETION, way)(in_menu)

    def tell(self, text: str, kind: types.MessageType = types.MessageType.Warning) -> None:
        """Show somebody a sentence."""
        said = text if text.startswith("Homeport") else f"Homeport: {text}"
        self.window_show_message(types.ShowMessageParams(kind, said))

    @override
    def report_server_error(self, error: Exception, source: Any) -> None:
        """Say that something went wrong in here, without what it was about: that may be code."""
        self.tell(f"Something went wrong in its language server ({type(error).__name__}).", types.MessageType.Error)

    def root_of(self, path: Path) -> Path | None:
        """The folder of the project that a file belongs to."""
        named = [to_fs_path(each.uri) for each in self.workspace.folders.values()] + [self.workspace.root_path]
        fit = [folder for name in named if name and path.is_relative_to(folder := Path(name))]
        return max(fit, key=lambda each: len(each.parts), default=None)

    def described(self, uri: str) -> tuple[str, str]:
        """A document's name in its project, and its language as the editor calls it."""
        document = self.document(uri)
        path = Path(document.path if document else to_fs_path(uri) or uri)
        return name_of(path, self.root_of(path)), (document and document.language_id) or ""

    def document(self, uri: str) -> TextDocument | None:
        """An open document; editors write the same URI with and without escapes."""
        found: TextDocument | None = self.workspace.text_documents.get(unquote(uri))
        return found

    def chat_model(self, action: Action) -> str:
        """Who is asked to do something."""
        return self.options.chat_model or action.feature

    def looked_at(self, uri: str) -> None:
        """Note that somebody works on a document."""
        self._looked.pop(unquote(uri), None)
        self._looked[unquote(uri)] = None

    def forget(self, uri: str) -> None:
        """A document was closed."""
        self._looked.pop(unquote(uri), None)
        self._beside.pop(uri, None)
        self.completing.closed(uri)

    async def suggest(self, wanted: Wanted) -> Rest | None:
        """What to suggest at a cursor."""
        self.looked_at(wanted.uri)
        return await self.completing.at(wanted)

    def place(self, uri: str, text: str, offset: int) -> Place:
        """A cursor in a document."""
        name, language = self.described(uri)
        return Place(text, offset, name, language)

    async def beside(self, uri: str) -> tuple[Other, ...]:
        """The files that help with a document, as they were found last; looked for again where that is long ago."""
        if not self.options.context_characters or self.document(uri) is None:
            return ()
        found = self._beside.get(uri)
        if found is None:
            found = self._beside[uri] = _Beside()
        versions = self._versions(uri)
        if found.looking is None and found.stale(versions):
            found.versions = versions
            found.looking = asyncio.create_task(self._look(uri, found))
        if found.others is None and found.looking is not None:
            await asyncio.wait([found.looking], timeout=FIRST_S)
        return found.others or ()

    def _versions(self, uri: str) -> tuple[tuple[str, int | None], ...]:
        return tuple((each.uri, each.version) for each in self._others(uri))

    def _others(self, uri: str) -> list[TextDocument]:
        """The documents that were looked at last, without this one."""
        documents = self.workspace.text_documents
        latest = [each for each in reversed(self._looked) if each != unquote(uri) and each in documents]
        return [documents[each] for each in latest[:OPEN]]

    async def _look(self, uri: str, found: _Beside) -> None:
        try:
            document = self.document(uri)
            if document is None:
                return
            current = _opened(document)
            others = [_opened(each) for each in self._others(uri)]
            root, room = self.root_of(current.path), self.options.context_characters
            found.others = await asyncio.to_thread(surroundings, current, others, root, room)
        except OSError:
            found.others = found.others or ()
        finally:
            found.at, found.looking = time.monotonic(), None

    async def act(self, action: Action, arguments: Sequence[Any]) -> dict[str, str] | None:
        """Do something with selected code; for an editor that would be held up, behind its back."""
        doing = acting.perform(self, action, arguments)
        if not self.held_up:
            return await doing
        task = asyncio.create_task(doing)
        self._doing.add(task)
        task.add_done_callback(self._done)
        return None

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._doing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.report_server_error(error if isinstance(error, Exception) else RuntimeError(), None)

    async def end(self) -> None:
        """Tell what is to be told, and let go of everything; a second time it does nothing."""
        if self._ended:
            return
        self._ended = True
        for task in self._doing:
            task.cancel()
        for uri in list(self._looked):
            self.reports.left(uri)
        await self.reports.flush()
        await self.homeport.close()
        await asyncio.to_thread(self.papers.close)


class _Beside:
    """What was found beside a document."""

    def __init__(self) -> None:
        self.others: tuple[Other, ...] | None = None
        self.versions: tuple[tuple[str, int | None], ...] = ()
        self.at = float("-inf")
        self.looking: asyncio.Task[None] | None = None

    def stale(self, versions: tuple[tuple[str, int | None], ...]) -> bool:
        return versions != self.versions or time.monotonic() - self.at > FRESH_S


def _opened(document: TextDocument) -> Open:
    return Open(Path(document.path), document.source)


def _agent(editor: str) -> str:
    """How we call ourselves, so that the request log tells editors apart."""
    plain = "".join(char for char in editor if char.isascii() and (char.isalnum() or char in " .-"))
    return f"homeport-lsp/{__version__} ({plain[:60]})"


def begin(ls: Server, params: types.InitializeParams) -> None:
    """`initialize`: nothing is asked of anybody yet."""
    ls.begin(params)


def begun(ls: Server, _params: types.InitializedParams) -> None:
    """`initialized`: now the editor can show messages."""
    if ls.options.wrong:
        ls.tell(f"initializationOptions: {'; '.join(ls.options.wrong)}.")


def opened(ls: Server, params: types.DidOpenTextDocumentParams) -> None:
    """`textDocument/didOpen`."""
    ls.looked_at(params.text_document.uri)


def changed(ls: Server, params: types.DidChangeTextDocumentParams) -> None:
    """`textDocument/didChange`."""
    uri = params.text_document.uri
    ls.looked_at(uri)
    if (document := ls.document(uri)) is not None:
        ls.completing.changed(uri, document.source)


def closed(ls: Server, params: types.DidCloseTextDocumentParams) -> None:
    """`textDocument/didClose`."""
    ls.forget(params.text_document.uri)


async def inline(ls: Server, params: types.InlineCompletionParams) -> types.InlineCompletionList:
    """`textDocument/inlineCompletion`."""
    uri = params.text_document.uri
    document = ls.document(uri)
    if document is None:
        return types.InlineCompletionList([])
    text, offset, chosen = document.source, offset_at(document.source, params.position, ls.encoding), None
    if chosen := params.context.selected_completion_info:
        # what the menu has selected counts as typed: a suggestion must go on from there
        start, end = (offset_at(text, each, ls.encoding) for each in (chosen.range.start, chosen.range.end))
        text, offset = text[:start] + chosen.text + text[end:], start + len(chosen.text)
    by_hand = params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked
    rest = await ls.suggest(Wanted(uri, ls.place(uri, text, offset), by_hand))
    items = [] if rest is None else [inline_item(rest, params.position, chosen, ACCEPTED)]
    return types.InlineCompletionList(items)


async def in_menu(ls: Server, params: types.CompletionParams) -> types.CompletionList:
    """`textDocument/completion`, for editors without inline completion: the suggestion as one entry of the menu."""
    uri = params.text_document.uri
    document = ls.document(uri)
    if document is None:
        return types.CompletionList(is_incomplete=True, items=[])
    text, offset = document.source, offset_at(document.source, params.position, ls.encoding)
    by_hand = params.context is None or params.context.trigger_kind == types.CompletionTriggerKind.Invoked
    rest = await ls.suggest(Wanted(uri, ls.place(uri, text, offset), by_hand))
    items = [] if rest is None else [menu_item(rest, text, offset, params.position, ls.encoding, ACCEPTED)]
    return types.CompletionList(is_incomplete=True, items=items)


def accepted(ls: Server, *arguments: Any) -> None:  # noqa: ANN401 (whatever an editor sends)
    """The command of a suggestion that was inserted."""
    if arguments and isinstance(arguments[0], str):
        ls.reports.accepted(arguments[0])


def code_actions(ls: Server, params: types.CodeActionParams) -> list[types.CodeAction]:
    """`textDocument/codeAction`: what can be done with the selection."""
    if params.range.start == params.range.end:
        return []
    arguments = [params.text_document.uri, ls.converter.unstructure(params.range)]
    return [
        types.CodeAction(
            action.title, kind=action.kind, command=types.Command(action.title, action.command, arguments=arguments)
        )
        for action in ACTIONS.values()
        if _is_wanted(action.kind, params.context.only)
    ]


def _is_wanted(kind: str, only: Sequence[str] | None) -> bool:
    """Whether a kind of action is one of those, or of a kind below them."""
    mine = str(getattr(kind, "value", kind))
    wanted = [str(getattr(each, "value", each)) for each in only or ("",)]
    return any(not each or mine == each or mine.startswith(f"{each}.") for each in wanted)


async def ended(ls: Server, *_nothing: Any) -> None:  # noqa: ANN401 (the protocol has no parameters here)
    """`shutdown`."""
    await ls.end()


def build(options: Options, ca_file: Path | None = None) -> Server:
    """A language server that waits for an editor."""
    _hush()
    server = Server(options, ca_file)
    server.feature(types.INITIALIZE)(begin)
    server.feature(types.INITIALIZED)(begun)
    server.feature(types.TEXT_DOCUMENT_DID_OPEN)(opened)
    server.feature(types.TEXT_DOCUMENT_DID_CHANGE)(changed)
    server.feature(types.TEXT_DOCUMENT_DID_CLOSE)(closed)
    server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())(inline)
    kinds = sorted({str(getattr(each.kind, "value", each.kind)) for each in ACTIONS.values()})
    server.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=kinds))(code_actions)
    server.feature(types.SHUTDOWN)(ended)
    server.command(ACCEPTED)(accepted)
    for action in ACTIONS.values():
        server.command(action.command)(_performs(action))
    return server


def _performs(action: Action) -> Any:  # noqa: ANN401 (what pygls takes as a command)
    async def act(ls: Server, *arguments: Any) -> dict[str, str] | None:  # noqa: ANN401 (see `accepted`)
        return await ls.act(action, arguments)

    return act


def _hush() -> None:
    """The library writes whole messages into its log, with code and token in them: nothing of it is kept."""
    logger = logging.getLogger("pygls")
    logger.handlers = [logging.NullHandler()]
    logger.propagate = False
    logger.setLevel(logging.CRITICAL)
