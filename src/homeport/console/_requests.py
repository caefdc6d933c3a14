"""What the pages about requests share: moments, durations, outcomes, the log itself."""

from __future__ import annotations

from datetime import UTC, datetime
from time import time
from typing import TYPE_CHECKING

import htpy
from htpy import Renderable, span

from homeport.console._texts import mark, t
from homeport.domain.entries import ANSWERED, FAILED, LEFT, REFUSED
from homeport.domain.errors import StoreUnavailable, Unknown
from homeport.store.log_usage import Asked

if TYPE_CHECKING:
    from htpy import Node

    from homeport.console import Asked as Page
    from homeport.domain.entries import Traits
    from homeport.store.log_search import Found
    from homeport.store.request_log import RequestLog

KINDS = {ANSWERED: "good", FAILED: "bad", REFUSED: "warn", LEFT: "warn"}
SAID = {
    ANSWERED: mark("answered"),
    FAILED: mark("failed"),
    REFUSED: mark("refused"),
    LEFT: mark("client left"),
}
BROKEN = mark("broke off")
DAY = 86_400
A_MILLISECOND, TEN_SECONDS = 1_000, 10_000_000


def log_of(asked: Page) -> RequestLog:
    """The request log; raises Unknown where there is none."""
    if asked.desk.request_log is None:
        raise Unknown(
            t("No requests are kept here."), t("HOMEPORT_REQUEST_LOG_DAYS says for how long they are; 0 is never.")
        )
    return asked.desk.request_log


async def today(log: RequestLog | None) -> dict[str, int]:
    """Requests since midnight (UTC) by model, an empty name for those that came to none; empty when it is not known."""
    now = time()
    try:
        found = await log.usage(Asked(now // DAY * DAY, now + 1, by="model")) if log is not None else ()
    except StoreUnavailable:  # a figure is not worth a page
        return {}
    return {each.name: each.requests for each in found}


async def asked_today(log: RequestLog | None, who: str = "") -> int:
    """What features were asked since midnight (UTC) and did not refuse, as charts count it; 0 when it is not known.

    By `who` alone where that is given.
    """
    now = time()
    try:
        found = await log.usage(Asked(now // DAY * DAY, now + 1, who=who, of_features=True)) if log is not None else ()
    except StoreUnavailable:  # a figure is not worth a page
        return 0
    return sum(each.served for each in found)


def moment(at: float) -> Renderable:
    """A moment to the second, in UTC."""
    told = datetime.fromtimestamp(at, UTC)
    return htpy.time(datetime=told.isoformat())[f"{told:%Y-%m-%d %H:%M:%S}"]


def lasting(us: int) -> str:
    """A duration, given in microseconds."""
    if not us:
        return "-"
    if us < A_MILLISECOND:
        return f"{us} µs"
    return f"{us / 1000:,.0f} ms" if us < TEN_SECONDS else f"{us / 1e6:,.1f} s"


def tokens(found: Found) -> Node:
    """Those of the prompt and of the answer, and whether anybody counted them."""
    if not found.prompt_tokens and not found.answer_tokens:
        return "-"
    counted = f"{found.prompt_tokens:,} + {found.answer_tokens:,}"
    said = t("Estimated: the model server told no count.")
    return (
        span(title=said)[span(aria_hidden="true")["≈ "], span(".unseen")[t("about"), " "], counted]
        if found.estimated
        else counted
    )


def ended(traits: Traits) -> Renderable:
    """How a request ended: in words and in colour."""
    ending = traits.ending
    said = t(BROKEN if traits.outcome == "broken" else SAID[ending])
    return span(class_=f"pill {KINDS[ending]}")[f"{said} · {traits.status}"]
