"""Related files, written so that they can stand ahead of the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport.domain.wording import fill

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homeport.codetext.language import Language
    from homeport.domain.requests import RelatedFile


def lead(
    files: Sequence[RelatedFile],
    family_file_template: str,
    current_template: str,
    language: Language | None,
    current_name: str,
) -> str:
    """The files in the family's own layout, or as comments of the language; nothing for no files.

    The templates hold `{name}` and `{content}`; `current_template` introduces the code that follows.
    """
    if not files:
        return ""
    if family_file_template:
        written = [fill(family_file_template, {"name": file.name, "content": file.content}) for file in files]
        return "".join(written) + fill(current_template, {"name": current_name})
    blocks = [_comment(f"{file.name}\n{file.content}", language) for file in files]
    return "\n".join([*blocks, _comment(current_name, language) if current_name else ""])


def _comment(text: str, language: Language | None) -> str:
    """Every line of `text` as a comment."""
    opening, closing = language.block_comment if language else ("", "")
    mark = language.line_comment if language else "#"
    if mark or not opening:
        return "".join(f"{mark or '#'} {line}".rstrip() + "\n" for line in text.splitlines())
    # A comment inside the comment would end it early.
    return f"{opening}\n{text.replace(closing, '').rstrip()}\n{closing}\n"
