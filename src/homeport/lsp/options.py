"""What the language server is told: by the command line and the environment, and by the editor when it starts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping

URL = "http://127.0.0.1:5050"
"""Where a Homeport on this machine listens."""
NUMBERS = {"pauseMs": (0, 5000), "contextCharacters": (0, 200_000), "maxTokens": (1, 4096)}
"""Options that are numbers, each with the least and the most that is taken."""
_FIELDS = {"pauseMs": "pause_ms", "contextCharacters": "context_characters", "maxTokens": "max_tokens"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Where to ask, as whom, and how."""

    url: str = URL
    token: str = ""
    model: str = "code_completions"
    """A registered model, or the name of a feature: then the model that serves it."""
    chat_model: str = ""
    """The same for code actions; empty: each action's own feature."""
    pause_ms: int = 75
    """How long somebody who types fast must pause before the model is asked."""
    context_characters: int = 24_000
    """Characters of other files that are sent along; 0 sends none."""
    max_tokens: int | None = None
    """The most tokens to complete with; None leaves it to Homeport."""
    menu: bool | None = None
    """Suggest in the editor's completion menu; None: where the editor has no inline completion."""
    wrong: tuple[str, ...] = ()
    """What the editor said that is no option, or out of range."""

    @override
    def __repr__(self) -> str:
        """Without the token."""
        return f"Options(url={self.url!r}, token={'set' if self.token else 'none'})"


def told(given: Options, by_editor: object) -> Options:
    """The options with what the editor says when it starts (`initializationOptions`).

    A project may bring settings of its editor along. So the token of the command line or the environment goes to
    their address alone: who names another address must give its token too.
    """
    said: Mapping[str, Any] = by_editor if isinstance(by_editor, dict) else {}
    url, token = address(_text(said, "url")), _text(said, "token")
    elsewhere = bool(url) and url != given.url
    numbers = {_FIELDS[name]: said[name] for name in NUMBERS if _fits(name, said.get(name))}
    menu = said.get("menu")
    return replace(
        given,
        url=url or given.url,
        token=token or ("" if elsewhere else given.token),
        model=_text(said, "model") or given.model,
        chat_model=_text(said, "chatModel") or given.chat_model,
        menu=menu if isinstance(menu, bool) else given.menu,
        wrong=tuple(_wrong(said)),
        **numbers,
    )


def address(url: str) -> str:
    """Homeport's address of what somebody gives as such: other clients want the same with `/v1` behind it."""
    return url.strip().rstrip("/").removesuffix("/v1").rstrip("/")


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return value.strip() if isinstance(value, str) else ""


def _fits(name: str, value: object) -> bool:
    least, most = NUMBERS[name]
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _wrong(said: Mapping[str, Any]) -> list[str]:
    """Options that are taken for what they are not; of their values nothing is repeated."""
    wrong = []
    for name, value in said.items():
        if name in NUMBERS:
            if not _fits(name, value):
                least, most = NUMBERS[name]
                wrong.append(f"{name} is a whole number from {least} to {most}")
        elif name == "menu":
            wrong += [] if isinstance(value, bool) else ["menu is true or false"]
        elif name in {"url", "token", "model", "chatModel"}:
            wrong += [] if isinstance(value, str) else [f"{name} is a text"]
        else:
            wrong.append(f"there is no option {str(name)[:40]!r}")
    return wrong
