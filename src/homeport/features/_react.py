"""Reads an answer as it comes: a final answer is passed on at once, the call of a tool is held back.

A model is asked to write `Thought:`, `Action:` and `Action Input:`, or `Final Answer:`. Small ones are
sloppy: their marks are missing, in any case, bold, numbered, quoted, fenced, or all in one line. However
the text is cut on its way, what is read is the same.

Source: Yao et al., "ReAct: Synergizing Reasoning and Acting in Language Models", arXiv 2210.03629.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING, Literal, NamedTuple

from homeport.codetext.thinking import Thoughts
from homeport.domain.agents import ToolCall
from homeport.features._calls import meant, no_tool, offered

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

PATIENCE = 320
"""Characters within which a text of no known form must come to a call; beyond them it is an answer."""
IMPATIENCE = 160
"""The same for a model that is offered tools to call, and no longer than its first line: it hardly ever writes a
call down, but often says in a sentence that it will make one."""
MARK_LENGTH = 48
"""No mark is longer, ornaments included."""
TAIL = 3
"""Characters behind a mark that may still belong to it: bold may end behind the colon."""
LINE_LENGTH = 200
"""A longer line after `Action:` names no tool."""
THOUGHT_LENGTH = 4000
ARGUMENT_LENGTH = 10_000

_TOOL = r"(?:action|tool|function)"
_MARK = re.compile(
    r"^[ \t>#•-]{0,12}(?:\d{1,2}[.)][ \t]{0,4})?(?P<bold>\*{1,3}|__|`)?[ \t]?"
    rf"(?:(?P<thought>thoughts?|thinking)|(?P<action>{_TOOL}(?:[ _-](?:name|call))?)"
    rf"|(?P<input>{_TOOL}[ _-]?(?:inputs?|args|arguments?|parameters?|query))|(?P<seen>observation)"
    r"|(?P<final>(?:final|direct)[ _-]?(?:answer|response|reply))|(?P<answer>answer))"
    r"(?:(?P=bold))?[ \t]?[:\uff1a](?:(?P=bold))?",
    re.IGNORECASE | re.MULTILINE,
)
_HEADING = re.compile(
    r"^[ \t]*(?P<final>#{1,6}[ \t]*\*{0,2}final answer\*{0,2}|\*\*final answer\*\*)[ \t]*\n",
    re.IGNORECASE | re.MULTILINE,
)
_INLINE = re.compile(r"(?<=[\s.!?;])\*{0,2}(?:(?P<action>Action)|(?P<final>Final Answer))\*{0,2}:\*{0,2}")
_MARKUP = re.compile(
    r"(?P<markup><(?:tool_call|\|tool_call|function_call|function=|function name=|\|python_tag\|>)|\[TOOL_CALLS\])"
)
_CLOSED = re.compile(r"</(?P<closed>think(?:ing)?)>\s*", re.IGNORECASE)
_JSON = re.compile(r"\A[\[\s]*\{")
_JSON_NAME = re.compile(
    r'"(?:name|tool|action|tool_name|function|function_name|action_name)"\s*:\s*"(?P<name>[^"\\\n]{1,100})"'
)
_JSON_INPUT = re.compile(r'"(?:arguments|parameters|action_input|tool_input)"\s*:')
_IDENTIFIER = re.compile(r"\W*(?=\w*(?:_|[a-z][A-Z]|\())\w+(?:\(.*\)|\[.*\])?\W*")
_FENCE = re.compile(r"\A\s*(?:```|~~~)[\w-]{0,20}[ \t]*\n")
_FENCE_LINE = re.compile(r"^[ \t]*(?:```|~~~)[\w-]*", re.MULTILINE)
_SECOND_LINE = re.compile(r"\s*\S[^\n]*\n(?:[ \t]*\n)*(?=[ \t]*\S)")
"""Up to where the second line that says something begins."""
_ORNAMENT = re.compile(r"\A[ \t>#•-]*(?:\d{1,2}[.)]?[ \t]*)?[*_` \t]*")
_WORDS = (
    *("thought", "thinking", "observation", "answer"),
    *(f"{a}{b}" for a in ("final", "direct") for b in ("answer", "response", "reply")),
    *(f"{a}{b}" for a in ("action", "tool", "function") for b in ("name", "call", "input", "query", "args")),
    *(f"{a}{b}" for a in ("action", "tool", "function") for b in ("arguments", "parameters")),
    *("<toolcall", "<|toolcall", "<functioncall", "<function=", "<functionname=", "<|pythontag|>", "[toolcalls]"),
)
"""How a mark may begin, in small letters and without what separates or adorns."""
_ENDS = frozenset(("seen", "thought", "action", "markup"))
"""Marks that no answer goes on behind."""


class Reading(NamedTuple):
    """What is left to say at the end: the rest of an answer, or a call."""

    text: str = ""
    call: ToolCall | None = None


class _Mark(NamedTuple):
    start: int
    end: int
    kind: str
    """thought, action, input, seen, final, answer, markup, or closed for the end of a thought that began unseen."""


class _Decision(NamedTuple):
    """What a text is: an answer or a call that stands at `at`, or a thought that ends there."""

    kind: Literal["answer", "call", "again"]
    at: int
    before: int = 0
    """Where the mark begins."""


_NO_SIGN = _Decision("answer", 0)
"""No mark says anything."""


class Plain:
    """Passes everything on but the thoughts of a reasoning model."""

    done = False

    def __init__(self, *, begun: bool = False) -> None:
        """With `begun`, the text begins inside a thought."""
        self._thoughts = Thoughts(begun=begun)
        self.feed = self._thoughts.feed

    def end(self, finish: str | None = None) -> Reading:
        """What was held back."""
        return Reading(self._thoughts.end(finish))


class Reader:
    """Takes an answer piece by piece; gives what may be shown, and at the end the rest or the call."""

    def __init__(self, tools: Collection[str] = (), *, native: bool = False, begun: bool = False) -> None:
        """`tools` are those that may be called; without any, everything is an answer.

        `native` says that the model was offered them, so that a call need not be written down; `begun`, that its text
        begins inside a thought.
        """
        self._tools = tuple(tools)
        self._native = native
        self._thoughts = Thoughts(begun=begun)
        self._text = ""
        """All of it, until it turns out to be an answer."""
        self._seen = 0
        """How far it was looked at."""
        self._call: _Decision | None = None
        self._answer: _Answer | None = None
        self._over = False

    @property
    def done(self) -> bool:
        """Nothing that follows counts any more."""
        return self._over if self._answer is None else self._answer.over

    def feed(self, text: str) -> str:
        """Take a piece; gives what of the answer is certain."""
        return "" if self.done else self._take(self._thoughts.feed(text), ended=False)

    def end(self, finish: str | None = None) -> Reading:
        """What is left."""
        rest = "" if self.done else self._take(self._thoughts.end(finish), ended=True)
        return _called(self._text, self._call, self._tools) if self._call else Reading(rest)

    def _take(self, text: str, *, ended: bool) -> str:
        if self._answer is None:
            self._text = text if self._text.isspace() else self._text + text
            text = ""
            self._judge(ended=ended)
        return text if self._answer is None else self._answer.take(text, ended=ended)

    def _judge(self, *, ended: bool) -> None:
        """Find out what it is; of a call only when it is over: where the model invents what comes of it."""
        while self._call is None and self._answer is None:
            found = _decide(self._text, self._seen, self._tools, self._patience(), ended=ended)
            if found is None:
                break
            self._settle(found)
        since = max(_line_start(self._text, self._seen), self._seen - MARK_LENGTH, self._call.at if self._call else 0)
        self._over = self._call is not None and any(mark["seen"] for mark in _MARK.finditer(self._text, since))
        self._seen = len(self._text) - TAIL

    def _patience(self) -> int:
        """Characters of the text within which it must come to a call."""
        if not self._tools:
            return 0
        second = _SECOND_LINE.match(self._text) if self._native else None
        return min(IMPATIENCE, second.end()) if second else IMPATIENCE if self._native else PATIENCE

    def _settle(self, found: _Decision) -> None:
        text = self._text
        if found.kind == "again":
            self._text, self._seen = text[found.at :], 0
        elif found.kind == "call":
            self._call, self._seen = found, found.at
        else:
            within = text[_line_start(text, found.at) : found.at].strip()
            self._answer = _Answer(self._tools, begun=bool(within), fenced=_in_fence(text, 0, found.at))
            self._answer.held = text[found.at :]


class _Answer:
    """Shows an answer as it comes: without white space at its ends, up to where it is none any more.

    Held back are white space and a line that may begin with a mark, and where a fence was opened ahead of
    the answer, one that may close it.
    """

    def __init__(self, tools: Collection[str], *, begun: bool, fenced: bool) -> None:
        """`begun`: it begins within a line; `fenced`: within a fence."""
        self.held = ""
        """What is not yet shown."""
        self.over = False
        self._tools = tools
        self._begun = begun
        self._wrapped = fenced
        self._fenced = False
        """Within a fence of its own."""
        self._blank = ""
        self._any = False

    def take(self, text: str, *, ended: bool) -> str:
        """Take a piece; gives what is certain."""
        self.held += text
        shown: list[str] = []
        while self.held and not self.over:
            line, line_end, _ = self.held.partition("\n")
            complete = bool(line_end) or ended
            if not self._begun and self._waits(line, complete=complete, ended=ended):
                break
            if self.over:
                break
            self._begun = not line_end
            self.held = self.held[len(line) + len(line_end) :]
            shown.append(line + line_end)
        return self._trimmed("".join(shown))

    def _waits(self, line: str, *, complete: bool, ended: bool) -> bool:
        """Whether it is too early to show a line from its beginning on; ends the answer where it must."""
        if _FENCE_LINE.match(line):
            return self._at_fence(line, ended=ended) if complete else True
        mark = None if self._fenced else next(_marks(line[: 2 * MARK_LENGTH], 0), None)
        if mark and mark.kind in _ENDS and not line[: mark.start].strip():
            return self._at_mark(mark, ended=ended)
        return not complete and (_may_be_mark(line) or line.lstrip() in {"`", "``", "~", "~~"})

    def _at_fence(self, line: str, *, ended: bool) -> bool:
        closes = self._wrapped and not self._fenced and line.strip() in {"```", "~~~"}
        if closes and not self.held[len(line) :].strip():
            self.over = ended
            return True
        self._fenced = not self._fenced
        return False

    def _at_mark(self, mark: _Mark, *, ended: bool) -> bool:
        certain: bool | None = mark.kind in {"seen", "thought"} or bool(self._tools)
        if self._tools and mark.kind == "action":
            certain = _names_tool(self.held, mark.end, self._tools, ended=ended)
        self.over = certain is True
        return certain is not False

    def _trimmed(self, text: str) -> str:
        """The text without white space that may be the last; that before the first is gone for good."""
        text = self._blank + text
        kept = text.rstrip() if self._any else text.strip()
        self._blank = text[len(text.rstrip()) :] if self._any or kept else ""
        self._any = self._any or bool(kept)
        return kept


def _decide(text: str, seen: int, tools: Collection[str], patience: int, *, ended: bool) -> _Decision | None:
    """What the text is; None while it is too early to tell."""
    fence = _FENCE.match(text)
    lead = fence.end() if fence else len(text) - len(text.lstrip())
    formed = _formed(text[lead:], ended=ended)
    if formed is None:
        return None
    if formed:
        since = max(_line_start(text, seen), seen - 2 * MARK_LENGTH, lead)
        return _formed_decision(text, since, tools, ended=ended)
    if tools and _JSON.match(text[lead:]):
        window = text[lead : lead + PATIENCE + MARK_LENGTH]
        if len(window) < PATIENCE + MARK_LENGTH and not ended:
            return None
        if _calls_in_json(window, tools):
            return _Decision("call", lead, lead)
    return _free_decision(text, lead, tools, patience, ended=ended)


def _formed(text: str, *, ended: bool) -> bool | None:
    """Whether a text begins with a thought, as it was asked to; None while that is open."""
    mark = _MARK.match(text)
    if mark:
        return bool(mark["thought"] or mark["seen"])
    line, complete, _ = text.partition("\n")
    fence = line.lstrip().startswith(("`", "~")) and len(line) < MARK_LENGTH
    return None if not ended and not complete and (fence or _may_be_mark(line)) else False


def _formed_decision(text: str, since: int, tools: Collection[str], *, ended: bool) -> _Decision | None:
    """In a text that begins with a thought every mark counts, those within a line too."""
    for mark in _marks(text, since, inline=True):
        if len(text) < mark.end + TAIL and not ended:
            return None
        if mark.kind in {"final", "answer"}:
            return _Decision("answer", mark.end)
        if tools and mark.kind in {"action", "markup"}:
            return _Decision("call", mark.end if mark.kind == "action" else mark.start, mark.start)
    return _Decision("answer", _behind_thought(text)) if ended else None


def _behind_thought(text: str) -> int:
    """Where the answer begins in a text that has a thought and no other mark: behind it, or the thought is all."""
    mark = _MARK.search(text)
    start = mark.end() if mark else 0
    gap = re.compile(r"\n[ \t]*\n\s*").search(text, start)
    behind = gap.end() if gap and text[start : gap.start()].strip() else len(text)
    return behind if text[behind:].strip() else start


def _free_decision(text: str, lead: int, tools: Collection[str], patience: int, *, ended: bool) -> _Decision | None:
    """In any other text a mark counts if it comes early and names a tool, or says that this is the answer."""
    bare = _bare_call(text[lead:], tools, ended=ended)
    if bare is not False:
        return _Decision("call", lead, lead) if bare else None
    limit = max(patience, lead)
    found = _early_sign(text, lead, limit, tools, ended=ended)
    if found is not _NO_SIGN:
        return found
    return _Decision("answer", 0) if ended or not tools or _is_past(text, limit) else None


def _is_past(text: str, limit: int) -> bool:
    """Whether no mark can begin by `limit` any more, whatever follows."""
    if len(text) >= limit + MARK_LENGTH:
        return True
    start = _line_start(text, limit + 1)
    tag = re.search(r"[<\[][^>\]\n]{0,20}\Z", text)
    line = text[start:].partition("\n")[0]
    return len(text) > limit and not tag and (start > limit or not _may_be_mark(line))


def _early_sign(text: str, lead: int, limit: int, tools: Collection[str], *, ended: bool) -> _Decision | None:
    """What the marks up to `limit` say; None while the last of them is open."""
    action: _Mark | None = None
    for mark in takewhile(lambda each: each.start <= limit, _marks(text, _line_start(text, lead))):
        if _in_code(text[lead : mark.start]):
            continue
        if len(text) < mark.end + TAIL and not ended:
            return None
        sign = _sign(mark, lead, tools)
        if sign:
            return sign
        named: bool | None = mark.kind == "input" and action is not None
        if tools and mark.kind == "action":
            action, named = mark, _names_tool(text, mark.end, tools, ended=ended)
        if action and named is not False:
            return _Decision("call", action.end, action.start) if named else None
    return _NO_SIGN


def _in_code(text: str) -> bool:
    """Whether a text ends within a fence that has a language."""
    fences = _FENCE_LINE.findall(text)
    return len(fences) % 2 == 1 and fences[-1].strip(" \t`~").lower() not in {"", "json", "text", "txt", "markdown"}


def _sign(mark: _Mark, lead: int, tools: Collection[str]) -> _Decision | None:
    """What a mark says by itself, if it does."""
    if mark.kind == "final" or (mark.kind == "answer" and mark.start <= lead):
        return _Decision("answer", mark.end)
    if tools and mark.kind == "closed":
        return _Decision("again", mark.end)
    return _Decision("call", mark.start, mark.start) if tools and mark.kind == "markup" else None


def _bare_call(text: str, tools: Collection[str], *, ended: bool) -> bool | None:
    """Whether the first line is a tool's name and nothing else, or brackets behind it; None while that is open."""
    line, complete, _ = text.partition("\n")
    name = line.replace("\\", "").lstrip("`*> ")
    if complete or ended or len(line) >= LINE_LENGTH:
        return any(re.fullmatch(rf"{tool}(?:\W*|\s*[(\[].*)", name) for tool in tools)
    return None if any(tool.startswith(name) or name.startswith(tool) for tool in tools) else False


def _marks(text: str, since: int, *, inline: bool = False) -> Iterator[_Mark]:
    """Every mark from `since` on, in order."""
    patterns = (_MARK, _HEADING, _MARKUP, _CLOSED, *((_INLINE,) if inline else ()))
    found = (mark for pattern in patterns for mark in pattern.finditer(text, since))
    yield from sorted(_Mark(mark.start(), mark.end(), mark.lastgroup or "") for mark in found)


def _names_tool(text: str, at: int, tools: Collection[str], *, ended: bool) -> bool | None:
    """Whether a tool, or none, is named after `Action:`; None while the line is not complete."""
    ahead = text[at : at + LINE_LENGTH + MARK_LENGTH].lstrip()
    line, complete, _ = _FENCE.sub("", ahead).lstrip().partition("\n")
    if not (complete and line) and len(line) < LINE_LENGTH and not ended:
        return None
    if len(line) >= LINE_LENGTH:
        return False
    known = offered(line, tools) or no_tool(line)
    return bool(known or line.startswith("{") or _IDENTIFIER.fullmatch(line))


def _calls_in_json(text: str, tools: Collection[str]) -> bool:
    """Whether an object names a tool, or looks like a call of one that does not exist."""
    found = _JSON_NAME.search(text)
    if found is None:
        return False
    name = found["name"]
    return bool(offered(name, tools) or no_tool(name) or _JSON_INPUT.search(text))


def _in_fence(text: str, start: int, at: int) -> bool:
    return len(_FENCE_LINE.findall(text[start:at])) % 2 == 1


def _may_be_mark(line: str) -> bool:
    """Whether a line that is not complete may turn out to begin with a mark."""
    if len(line) >= MARK_LENGTH:
        return False
    bare = re.sub(r"[ _*`-]", "", _ORNAMENT.sub("", line)).lower()
    return any(word.startswith(bare) or bare.startswith(word) for word in _WORDS)


def _line_start(text: str, before: int) -> int:
    return text.rfind("\n", 0, max(before, 0)) + 1


def _called(text: str, found: _Decision, tools: Collection[str]) -> Reading:
    """The call in a text, or the answer that was given in the form of one."""
    seen = next((mark.start() for mark in _MARK.finditer(text, found.at) if mark["seen"]), len(text))
    said = text[found.at : seen]
    others = [mark for mark in _marks(said, 0) if mark.kind in {"thought", "action", "final"} and mark.start]
    call = meant(said[: others[0].start] if others else said, tools)
    thought = _thought(text[: found.before])
    if no_tool(call.name):
        final = next((said[mark.end :].strip() for mark in others if mark.kind == "final"), "")
        return Reading(final or call.argument or thought)
    if not call.name:
        return Reading(call=ToolCall(name="", thought=text[:seen].strip())) if text.strip() else Reading()
    return Reading(call=ToolCall(name=call.name, argument=call.argument[:ARGUMENT_LENGTH], thought=thought))


def _thought(text: str) -> str:
    """What a model said ahead of a call, without the mark."""
    text = _FENCE.sub("", text).strip()
    mark = _MARK.match(text)
    said = text[mark.end() :] if mark and (mark["thought"] or mark["seen"]) else text
    return said.strip().removesuffix("```").removesuffix("**").strip()[:THOUGHT_LENGTH]
