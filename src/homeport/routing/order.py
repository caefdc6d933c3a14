"""In which order models are asked: one of those that share the work, then the others, then the fallbacks.

One is chosen by load (two at random, by their weights; the one that is less busy wins), or, for a
sticky route, by what the request is about: highest random weight (Thaler and Ravishankar, 1998), so
that a model that comes or goes moves only its own share, passed over while it has much more than its
share of the load (Mirrokni, Thorup and Zadimoghaddam, 2018).
"""

from __future__ import annotations

import math
from functools import lru_cache
from hashlib import blake2b
from operator import truediv
from random import random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from homeport.domain.models import Model
    from homeport.routing.health import Health

SPREAD = 1.25
"""How much more than its share a model may have to do before a sticky request goes elsewhere."""
SLOWEST = 10.0
"""How much a slow server counts at most."""
_GOLDEN, _MASK = 0x9E3779B97F4A7C15, 2**64 - 1


class Share(NamedTuple):
    """A model that takes part of the work."""

    model: Model
    weight: int


def order(
    pool: Sequence[Share],
    fallbacks: Sequence[Model],
    health: Health,
    running: Callable[[Model], int],
    about: str = "",
    *,
    completion: bool = False,
) -> list[Model]:
    """Models in the order in which they are asked; those that are left alone are left out.

    `running` gives the requests that a model has now. `about` says what a sticky request is about. Those of
    which nobody knows yet whether they answer again come last. When all are left alone, the one that is back
    first is asked: somebody has to find out.
    """
    able, spare = _well(pool, fallbacks, health) if health.trouble else (pool, fallbacks)
    if not able and not spare:
        return [min((*(share.model for share in pool), *fallbacks), key=health.back_in)]
    if len(able) < 2:  # noqa: PLR2004 (one needs no choosing)
        return [*(share.model for share in able), *spare]
    loads = [running(share.model) for share in able]
    weights = _weights(able, health, completion=completion)
    busy = list(map(truediv, loads, weights))
    chosen = _near(able, loads, about) if about else _two(weights, busy)
    rest = sorted((at for at in range(len(able)) if at != chosen), key=busy.__getitem__)
    return [able[chosen].model, *(able[at].model for at in rest), *spare]


def _well(pool: Sequence[Share], fallbacks: Sequence[Model], health: Health) -> tuple[Sequence[Share], Sequence[Model]]:
    """Those that may be asked; behind them those that failed and have not shown yet that they answer again."""
    able = [share for share in pool if health.allows(share.model)]
    spare = [model for model in fallbacks if health.allows(model)]
    known = [share for share in able if not health.is_due(share.model)]
    sure = [model for model in spare if not health.is_due(model)]
    every = (*(share.model for share in pool), *fallbacks)
    tried = [model for model in every if health.is_tried(model)]
    if not known and not sure:
        return able, [*spare, *tried]
    return known, [*sure, *(model for model in every if health.is_due(model)), *tried]


def _weights(able: Sequence[Share], health: Health, *, completion: bool) -> list[float]:
    """How much each can take: its weight, and less when it takes longer than the fastest to begin."""
    firsts = [health.first_s(share.model, completion=completion) for share in able]
    fastest = min(filter(None, firsts), default=0.0)
    if not fastest:
        return [float(share.weight) for share in able]
    return [share.weight / min(max(first / fastest, 1.0), SLOWEST) for share, first in zip(able, firsts, strict=True)]


def _two(weights: Sequence[float], busy: Sequence[float]) -> int:
    """The less busy of two that are drawn by their weights; of two there are it is always these."""
    one = _drawn(weights)
    if len(weights) == 2:  # noqa: PLR2004 (see above)
        return one if busy[one] <= busy[1 - one] else 1 - one
    other = _drawn([0.0 if at == one else weight for at, weight in enumerate(weights)])
    return one if busy[one] <= busy[other] else other


def _drawn(weights: Sequence[float]) -> int:
    left = random() * sum(weights)  # noqa: S311 (no secret)
    for at, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return at
    return len(weights) - 1


def _near(able: Sequence[Share], loads: Sequence[int], about: str) -> int:
    """The one that always gets what this is about, or the next while it has too much to do."""
    seed = _number(about)
    ranks = [_rank(share, seed) for share in able]
    ranked = sorted(range(len(able)), key=ranks.__getitem__, reverse=True)
    each = SPREAD * (sum(loads) + 1) / sum(share.weight for share in able)
    return next((at for at in ranked if loads[at] + 1 <= math.ceil(each * able[at].weight)), ranked[0])


def _rank(share: Share, seed: int) -> float:
    """Always the same for one server and one thing; the highest as often as the weights say: -weight / ln(u)."""
    mixed = ((_name(share.model.name) ^ seed) * _GOLDEN) & _MASK
    mixed = ((mixed ^ mixed >> 31) * _GOLDEN) & _MASK
    return -share.weight / math.log(((mixed >> 11) + 0.5) / 2**53)


def _number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


_name = lru_cache(maxsize=1024)(_number)
