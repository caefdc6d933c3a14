"""Which of the other files a prompt should show, and in which order.

A file counts for the identifiers that it shares with the code at the cursor, the rarer the more, and
for being near in the tree. While everything fits nothing is weighed, so that the beginning of a
prompt stays what it was; otherwise the code at the cursor is taken in coarse steps, for the same reason.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from homeport.domain.requests import RelatedFile

STEP = 256
"""Characters typed before the code at the cursor is looked at anew."""
BEFORE, AFTER = 3000, 1000
"""Characters on each side of the cursor whose identifiers count."""
SAMPLE = 50_000
"""Characters of all files together that are searched for them."""
REACH = 20_000
"""Characters on each side of the cursor in which a snippet of the same file is looked for."""
NEAR = 0.5
"""What a common folder counts, in identifiers that no other file has."""
_WORD = re.compile(r"[A-Za-z_]\w{2,}")


def others(files: Iterable[RelatedFile], before: str, after: str, name: str) -> tuple[RelatedFile, ...]:
    """The files without the current one, what stands at the cursor already, and doubles; snippets first."""
    own, seen = _path(name), set()
    kept: list[RelatedFile] = []
    for file in files:
        key = (_path(file.name), len(file.content), file.content[:80])
        if key in seen or not file.content or file.content.isspace() or (own and key[0] == own and not file.snippet):
            continue
        seen.add(key)
        if not _stands_there(file, before, after):
            kept.append(file)
    return tuple(sorted(kept, key=lambda file: not file.snippet))


def by_relevance(files: Sequence[RelatedFile], before: str, after: str, name: str) -> tuple[RelatedFile, ...]:
    """Snippets first, each kind with the most relevant ahead."""
    size = max(SAMPLE // max(len(files), 1), 1)
    words = _words(before, after)
    shared = [words.intersection(_WORD.findall(file.content[:size])) for file in files]
    common = Counter(word for found in shared for word in found)
    folders = _path(name).split("/")[:-1]
    scores = [
        sum(1 / common[word] for word in found) + NEAR * _together(folders, _path(file.name).split("/")[:-1])
        for file, found in zip(files, shared, strict=True)
    ]
    order = sorted(range(len(files)), key=lambda at: (not files[at].snippet, -scores[at]))
    return tuple(files[at] for at in order)


def _words(before: str, after: str) -> set[str]:
    """Identifiers at the cursor, which stay the same while a few characters are typed."""
    end = max(len(before) // STEP * STEP, min(len(before), STEP))
    return set(_WORD.findall(before[max(end - BEFORE, 0) : end])) | set(_WORD.findall(after[:AFTER]))


def _together(folders: Sequence[str], others: Sequence[str]) -> float:
    """Share of the path that two files have in common; files at the top of a tree have all of it."""
    common = next((at for at, pair in enumerate(zip(folders, others, strict=False)) if pair[0] != pair[1]), None)
    common = min(len(folders), len(others)) if common is None else common
    return (common + 1) / (max(len(folders), len(others)) + 1)


def _stands_there(file: RelatedFile, before: str, after: str) -> bool:
    """Whether it repeats code that the prompt shows anyway."""
    near = (before[-REACH:], after[:REACH])
    if not any(file.content.lstrip()[:40] in text for text in near):
        return False
    code = file.content.strip()
    return any(code in text for text in near)


def _path(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./").removeprefix("/")
