"""What to keep of an answer in words: not the tags of our own prompt, and nothing said over and over."""

from __future__ import annotations

from homeport.codetext.rounds import Rounds


class Said:
    """Takes an answer piece by piece: `feed` each, `end` once. `done` says that nothing more can follow."""

    __slots__ = ("_rounds", "_tags")

    def __init__(self, tags: tuple[str, ...] = ()) -> None:
        """`tags` are names of those that the prompt wraps its data in."""
        self._tags = Tags(tags)
        self._rounds = Rounds()

    @property
    def done(self) -> bool:
        """Whether the answer was cut."""
        return self._tags.cut or self._rounds.cut

    def feed(self, text: str) -> str:
        """What may be shown now."""
        return self._rounds.feed(self._tags.feed(text))

    def end(self, finish: str = "stop") -> str:
        """What was held back, once the model has finished for the reason `finish`."""
        return self._rounds.feed(self._tags.end()) + self._rounds.end(finish)


class Tags:
    """Takes away a tag of the prompt that an answer begins with, and the one that closes it.

    An answer that begins with that tag once more behind it is over. Holds back: white space and what may
    be a tag, at the start and behind the closing one; within, what may be the closing one.
    """

    __slots__ = ("_behind", "_held", "_name", "_names", "cut")

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        """Those that the answer may begin with; none once it began."""
        self._name = ""
        """The tag that it began with."""
        self._behind = False
        """The tag was closed, and nothing visible came since."""
        self._held = ""
        self.cut = False

    def feed(self, text: str) -> str:
        """The text without tags."""
        if self.cut:
            return ""
        if not (self._names or self._name):
            return text
        self._held += text
        if self._names and not self._begin():
            return ""
        given = "" if self._behind or not self._name else self._inside()
        return given + self._rest() if self._behind else given if self._name else self._release()

    def end(self) -> str:
        """What was held back."""
        alone = self._held.strip() in {f"<{name}>" for name in self._names}
        return "" if self.cut or alone else self._release()

    def _begin(self) -> bool:
        """Whether it is known what the answer begins with; then a tag is gone."""
        begun = self._held.lstrip()
        for name in self._names:
            tag = f"<{name}>"
            if tag.startswith(begun):
                return False
            if begun.startswith(tag):
                self._name, self._held = name, begun.removeprefix(tag).removeprefix("\n")
        self._names = ()
        return True

    def _inside(self) -> str:
        """The text up to the closing tag, as far as it is certain."""
        tag = f"</{self._name}>"
        text, closed, rest = self._held.partition(tag)
        if closed:
            self._behind, self._held = True, rest
            return text
        sizes = range(min(len(tag) - 1, len(text)), 0, -1)
        size = next((size for size in sizes if text.endswith(tag[:size])), 0)
        self._held = text[len(text) - size :]
        return text[: len(text) - size]

    def _rest(self) -> str:
        """What follows the closing tag, unless the answer only begins again."""
        tag, begun = f"<{self._name}>", self._held.lstrip()
        if tag.startswith(begun):
            return ""
        self.cut = begun.startswith(tag)
        return "" if self.cut else self._release()

    def _release(self) -> str:
        text, self._held, self._name, self._names = self._held, "", "", ()
        return text
