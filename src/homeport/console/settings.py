"""What the operator decided before the start, the root keys, and the configuration as a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from htpy import Renderable, a, button, code, div, form, h1, h2, p, span, table, tbody, td, th, thead, time, tr

from homeport.console import Asked, Page, Sent, _release, go
from homeport.console._forms import finder, sifter
from homeport.console._layout import guard, page, problem
from homeport.kit.effective import Effective, effective
from homeport.store import config_file

if TYPE_CHECKING:
    from collections.abc import Sequence


PLACES = (("", "Every setting"), ("changed", "Those that are not the default"))
FILE = "configuration.toml"


async def view(asked: Asked) -> Renderable | Sent:
    """The page, or the file."""
    if "export" in asked.query:
        return await _export(asked)
    found = [each for each in effective(asked.desk.settings, os.environ) if _matches(asked, each)]
    sealed = await asked.desk.store.sealed()
    return page(
        asked,
        "Settings",
        h1["Settings"],
        p(".lead")[
            "Read at the start from homeport.toml, environment variables and the command line; to change one, "
            "change it there and start again."
        ],
        finder(asked, "Name or value", sifter(asked, "from", "Which", PLACES)),
        _table(found) if found else div(".empty")[h2["No setting is like this"], a(href=asked.path)["Show all"]],
        problem(asked),
        _keys(asked, sealed),
        _release.switch(asked),
        _as_file(),
    )


def _matches(asked: Asked, each: Effective) -> bool:
    typed = asked.query.get("find", "").strip().lower()
    wanted = asked.query.get("from") != "changed" or each.place != "default"
    return wanted and (typed in each.name or typed in each.plain.lower())


def _table(found: Sequence[Effective]) -> Renderable:
    return div(".scroll")[
        table(".wide")[
            thead[tr[th(scope="col")["Setting"], th(scope="col")["Value"], th(scope="col")["From"]]],
            tbody[
                (
                    tr[
                        th(scope="row")[code[each.name]],
                        td(data_label="Value")[span(".soft")["not set"] if each.plain == "-" else code[each.plain]],
                        td(data_label="From")[
                            span(".soft")["default"] if each.place == "default" else code[each.place]
                        ],
                    ]
                    for each in found
                )
            ],
        ]
    ]


def _keys(asked: Asked, sealed: dict[str, int]) -> Renderable:
    """Number and age of the root keys; never a key."""
    vault = asked.desk.vault
    at, count = vault.changed, len(vault.key_ids)
    since = ("; the newest one since ", time(datetime=at.isoformat())[f"{at:%Y-%m-%d %H:%M}"]) if at else ""
    older = sum(each for key, each in sealed.items() if key != vault.sealing_id)
    rest = f", {older} of them with an older one" if older else ""
    return div[
        h2["Encryption keys"],
        p[f"{count} root key{'s' if count > 1 else ''}", since, "."],
        p(".soft")[
            f"They seal {_number(sum(sealed.values()))}{rest}. They are in a file of their own, not in the database: "
            "keep a copy of it in another place than the database's."
        ],
        _rotate(asked) if asked.person.role == "admin" else None,
    ]


def _rotate(asked: Asked) -> Renderable:
    return form(method="post", action=asked.path)[
        guard(asked, "rotate"),
        div(".buttons")[button(type="submit")["Make a new root key"]],
        p(".soft.small")[
            "Tokens, sessions and what older keys sealed go on working. ", code["homeport db rotate-keys"]
        ],
    ]


async def rotate(asked: Asked) -> Sent:
    """Seal everything with a new root key."""
    await asked.desk.store.rotate_keys(by=asked.person.name)
    return go(f"{asked.path}?said=rotated")


def _number(count: int) -> str:
    return f"{count} API key{'' if count == 1 else 's'}"


async def beta(asked: Asked) -> Sent:
    """Allow or forbid families that are not settled."""
    await _release.decide(asked)
    return go(f"{asked.path}?said=set")


def _as_file() -> Renderable:
    return div[
        h2["Models, features and settings as a file"],
        p["What this console changes, as TOML. API keys are not in it."],
        p[a(".button", href="?export=toml", download=FILE, hx_boost="false")["Download the configuration"]],
        p(".soft.small")[code[f"homeport config apply {FILE}"], " makes a database hold what the file says."],
    ]


async def _export(asked: Asked) -> Sent:
    """What `homeport config export` writes."""
    text = config_file.write(await asked.desk.store.snapshot())
    kept = (b"content-disposition", f'attachment; filename="{FILE}"'.encode())
    return Sent(text, headers=(kept,), content_type="application/toml; charset=utf-8")


PAGE = Page(
    path="/console/settings",
    title="Settings",
    see="auditor",
    view=view,
    acts={"rotate": rotate, "beta": beta},
    menu="Operate",
    order=90,
)
