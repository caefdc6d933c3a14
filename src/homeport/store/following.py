"""What follows the settings that administrators change while it runs, without asking the database."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from homeport.domain.models import Limits
from homeport.store.live import counting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from homeport.domain.models import Model, Snapshot
    from homeport.kit.settings import Settings
    from homeport.store.registry import Registry

WAITS: Mapping[str, str] = {
    "model_connect_s": "connect_s",
    "model_first_token_s": "first_token_s",
    "model_idle_s": "idle_s",
    "model_total_s": "total_s",
}
"""The limit of a model that each setting is for."""
_USUAL = Limits()


class Following:
    """The settings that count now: `current` is a plain attribute, replaced when the registry saw a change."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self.current = counting(settings, registry.current.settings)
        self._settings = settings
        self._listeners: list[Callable[[Settings], None]] = []
        registry.on_change(self._take)

    def tell(self, listener: Callable[[Settings], None]) -> None:
        """Call `listener` with the settings that count, now and after each change."""
        self._listeners.append(listener)
        listener(self.current)

    def waiting(self, models: Iterable[Model]) -> list[Model]:
        """Those that wait as long as the settings say and not as usual, because their own limits are the usual ones."""
        said = {limit: getattr(self.current, name) for name, limit in WAITS.items()}
        other = {limit: wait for limit, wait in said.items() if wait != getattr(_USUAL, limit)}
        return [_waiting(each, own) for each in models if (own := _usual(each, other))]

    def _take(self, snapshot: Snapshot) -> None:
        found = counting(self._settings, snapshot.settings)
        if found == self.current:
            return
        self.current = found
        for listener in self._listeners:
            listener(found)


def _usual(model: Model, waits: Mapping[str, float]) -> dict[str, float]:
    return {limit: wait for limit, wait in waits.items() if getattr(model.limits, limit) == getattr(_USUAL, limit)}


def _waiting(model: Model, waits: Mapping[str, Any]) -> Model:
    return replace(model, limits=replace(model.limits, **waits))
