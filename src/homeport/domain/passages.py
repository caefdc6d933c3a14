"""What a search in documentation finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A piece of a document, best first in a list of them."""

    file: str
    """Path of the document below the folder that was indexed."""
    title: str
    """Of the document."""
    heading: str = ""
    """The headings it stands under, outermost first, with ` > ` between them."""
    text: str = ""
    url: str = ""
    """Where people read the document, if that is known."""
