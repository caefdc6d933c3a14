"""What completing and generating code have in common: related files, what is left unsaid, what cleans the answer."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

from homeport.codetext.clean import Unchanged
from homeport.codetext.relevance import by_relevance, others
from homeport.codetext.thinking import Thoughts
from homeport.codetext.window import all_fit, related_files
from homeport.domain.requests import Sampling, stops
from homeport.domain.streams import Chunk
from homeport.kit.journal import note

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from homeport.codetext.clean import Cleaner, GenerationCleaner
    from homeport.codetext.language import Language
    from homeport.domain.models import Model
    from homeport.domain.prompts import Prompt
    from homeport.domain.requests import CodeRequest, RelatedFile
    from homeport.domain.streams import Chunks
    from homeport.domain.wording import Wording
    from homeport.features import Workbench
    from homeport.features._wording import Spoken

_PROBE = ("test.rb", "def hello_world", "")
_LABEL = re.compile(r"^(?:[\w ]{1,30}[:=] ?\{language\}|<(\w+)>\{language\}</\1>)[ \t]*\n", re.MULTILINE)


def related(bench: Workbench, wanted: CodeRequest, characters: int) -> tuple[RelatedFile, ...]:
    """The files that a prompt of so many characters shows beside the code, as far as they fit their share."""
    if not wanted.related:
        return ()
    room = int(characters * bench.completion_context_share)
    files = others(wanted.related, wanted.before, wanted.after, wanted.file_name)
    if not all_fit(files, budget=room):
        files = by_relevance(files, wanted.before, wanted.after, wanted.file_name)
    shown = related_files(files, budget=room)
    used = tuple((file.name, len(file.content)) for file in shown)
    note(context=used, context_files=len(used), context_length=sum(size for _, size in used))
    return shown


def first_of(texts: Sequence[str], characters: int) -> str:
    """The first of these texts that together have at most so many characters, one a line."""
    lengths = accumulate(len(text) + 1 for text in texts)
    return "\n".join(text for text, length in zip(texts, lengths, strict=False) if length <= characters)


def names(wanted: CodeRequest) -> tuple[str, ...]:
    """Of the file, and of those that may stand in the prompt beside it."""
    return (wanted.file_name, *(file.name for file in wanted.related))


@lru_cache(maxsize=64)
def silent_on_language(wording: Wording) -> Wording:
    """The wording for a file whose language is unknown: it says nothing of it."""
    return replace(wording, system=_silent(wording.system), user=_silent(wording.user))


def _silent(text: str) -> str:
    return _LABEL.sub("", text).replace("{language} ", "").replace("{language}", "")


def sampling_of(
    wanted: CodeRequest, said: Spoken, max_tokens: int, temperature: float, ends: tuple[str, ...]
) -> Sampling:
    """The caller's choice, else the administrator's, else that of the family, of which `temperature` and `ends` are."""
    asked = wanted.sampling
    ruled = temperature if said.temperature is None else said.temperature
    given = ruled if asked.temperature is None else asked.temperature
    return Sampling(max_tokens, given, asked.top_p, asked.seed, stops(asked.stop, said.stop, ends))


class BehindThoughts:
    """A cleaner of an answer whose text begins inside a thought."""

    __slots__ = ("_cleaner", "_thoughts")

    def __init__(self, cleaner: Cleaner | GenerationCleaner) -> None:
        self._cleaner = cleaner
        self._thoughts = Thoughts(begun=True)

    @property
    def done(self) -> bool:
        """Nothing more is kept."""
        return self._cleaner.done

    def feed(self, text: str) -> str:
        """What may be shown now that `text` has arrived."""
        return self._cleaner.feed(self._thoughts.feed(text))

    def end(self, finish: str = "stop") -> str:
        """The rest."""
        return self._cleaner.feed(self._thoughts.end(finish)) + self._cleaner.end(finish)


Keeper: TypeAlias = "Cleaner | GenerationCleaner | BehindThoughts | Unchanged"


def cleaner(
    model: Model,
    wanted: CodeRequest,
    kind: Callable[..., Cleaner | GenerationCleaner],
    prompt: Prompt,
    language: Language | None,
    *,
    begun: bool = False,
) -> Keeper:
    """What keeps of an answer what belongs at the cursor, unless the administrator wants it as it comes.

    With `begun`, its text begins inside a thought.

    GitLab's end-to-end health check gets what the model said, too: to it an empty answer means that
    nothing works (AI Gateway protocol, "Admin health check").
    """
    probe = (wanted.file_name.rpartition("/")[2], wanted.before.strip(), wanted.after.strip()) == _PROBE
    if probe or not model.clean:
        return Unchanged()
    asked, ends = prompt.kind == "chat", prompt.sampling.stop
    keep = kind(wanted.before, wanted.after, stops=ends, language=language, names=names(wanted), asked=asked)
    return BehindThoughts(keep) if begun else keep


async def cleaned(answer: Chunks, cleaner: Keeper) -> Chunks:
    """Keep of each piece what belongs at the cursor; stop the model when nothing more can follow."""
    finish = None
    async for chunk in answer:
        finish = chunk.finish or finish
        kept = cleaner.feed(chunk.text)
        if kept or chunk.usage:
            yield Chunk(kept, None, chunk.usage)
        if cleaner.done:
            break
    rest = cleaner.end(finish or "stop")
    yield Chunk(rest, "stop" if cleaner.done else finish or "stop")
