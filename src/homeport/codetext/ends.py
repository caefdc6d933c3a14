"""Line ends: cleaning works on line feeds alone, and what is kept gets the file's own line ends back."""

from __future__ import annotations

WINDOWS = "\r\n"


def plain(text: str) -> str:
    """The text with line feeds only."""
    return text.replace(WINDOWS, "\n") if WINDOWS in text else text


def is_windows(before: str, after: str) -> bool:
    """Whether the line nearest to the cursor ends as on Windows."""
    end = before.rfind("\n")
    if end >= 0:
        return before[end - 1 : end] == "\r"
    return after[: after.find("\n")].endswith("\r") if "\n" in after else False


class Plain:
    """Turns the answer's line ends into line feeds. Holds back: a carriage return until the next character."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = ""

    def feed(self, text: str) -> str:
        """The text with line feeds, as far as it is certain."""
        if not text:
            return ""
        text, self.held = self.held + text, ""
        if text[-1] == "\r":
            text, self.held = text[:-1], "\r"
        return plain(text)

    def end(self) -> str:
        """What was held back: a carriage return at the very end belongs to a line end that was cut."""
        self.held = ""
        return ""
