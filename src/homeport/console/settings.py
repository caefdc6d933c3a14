"""What administrators change while it runs, the root keys, the configuration as a file, and every setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Renderable, a, button, code, div, form, h1, h2, p, span, table, tbody, td, th, thead, time, tr

from homeport.console import Asked, Page, Sent, _live, _release, go
from homeport.console._forms import finder, sifter
from homeport.console._layout import guard, page, problem
from homeport.console._texts import choices, filled, mark, rich, t, tn
from homeport.store import config_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from htpy import Node

    from homeport.kit.effective import Effective


PLACES = (("", mark("Every setting")), ("changed", mark("Those that are not the default")))
FILE = "configuration.toml"


async def view(asked: Asked) -> Renderable | Sent:
    """The page, or the file."""
    if "export" in asked.query:
        return await _export(asked)
    if asked.person.role == "admin" and ("rotate" in asked.query or asked.form.get("do") == "rotate"):
        return _rotating(asked)
    every = _live.places(asked)
    found = [each for each in every if _matches(asked, each)]
    sealed = await asked.desk.store.sealed()
    return page(
        asked,
        t("Settings"),
        h1[t("Settings")],
        p(".lead")[t("A change counts in every process within two seconds, and is in the audit.")],
        await _live.card(asked, {each.name: each for each in every}),
        _keys(asked, sealed),
        _release.switch(asked),
        _as_file(),
        _every(asked, found),
    )


def _matches(asked: Asked, each: Effective) -> bool:
    typed = asked.query.get("find", "").strip().lower()
    wanted = asked.query.get("from") != "changed" or each.place != "default"
    return wanted and (typed in each.name or typed in each.plain.lower())


def _every(asked: Asked, found: Sequence[Effective]) -> Renderable:
    """All settings, those above among them."""
    return div("#every")[
        h2[t("Every setting")],
        p(".soft")[
            t(
                "Read at the start from homeport.toml, environment variables and the command line; to change one that "
                "is not above, change it there and start again."
            )
        ],
        finder(asked, t("Name or value"), sifter(asked, "from", t("Which"), choices(PLACES))),
        _table(found) if found else div(".empty")[h2[t("No setting is like this")], a(href=asked.path)[t("Show all")]],
    ]


def _table(found: Sequence[Effective]) -> Renderable:
    return div(".scroll")[
        table(".wide")[
            thead[tr[th(scope="col")[t("Setting")], th(scope="col")[t("Value")], th(scope="col")[t("From")]]],
            tbody[
                (
                    tr[
                        th(scope="row")[code[each.name]],
                        td(data_label=t("Value"))[
                            span(".soft")[t("not set")] if each.plain == "-" else code[each.plain]
                        ],
                        td(data_label=t("From"))[
                            span(".soft")[t("default")] if each.place == "default" else code[each.place]
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
    older = sum(each for key, each in sealed.items() if key != vault.sealing_id)
    return div[
        h2[t("Encryption keys")],
        p[filled(tn("{count} root key{since}.", "{count} root keys{since}.", count), since=_since(at))],
        p(".soft")[
            _sealed(sum(sealed.values()), older),
            " ",
            t(
                "They are in a file of their own, not in the database: "
                "keep a copy of it in another place than the database's."
            ),
        ],
        p[a(".button", href="?rotate")[t("Make a new root key")]] if asked.person.role == "admin" else None,
    ]


def _since(at: datetime | None) -> Node:
    if at is None:
        return None
    return rich("; the newest one since {when}", when=time(datetime=at.isoformat())[f"{at:%Y-%m-%d %H:%M}"])


def _sealed(count: int, older: int) -> str:
    if older:
        return tn(
            "They seal {count} API key, {older} of them with an older one.",
            "They seal {count} API keys, {older} of them with an older one.",
            count,
            older=older,
        )
    return tn("They seal {count} API key.", "They seal {count} API keys.", count)


def _rotating(asked: Asked) -> Renderable:
    """What comes of it, before it is done."""
    return page(
        asked,
        t("Make a new root key"),
        h1[t("Make a new root key?")],
        problem(asked),
        p(".lead")[
            t("Every API key is sealed with it at once. Tokens, sessions and what older keys sealed go on working.")
        ],
        p[t("Copy the key file again afterwards: an older copy does not unseal the API keys any longer.")],
        form(".buttons", method="post", action=f"{asked.path}?rotate")[
            guard(asked, "rotate"),
            button(".first", type="submit")[t("Make it")],
            a(".button.quiet", href=asked.path)[t("Leave it as it is")],
        ],
        p(".soft.small")[rich("{command} does the same.", command=code["homeport db rotate-keys"])],
    )


async def rotate(asked: Asked) -> Sent:
    """Seal everything with a new root key."""
    await asked.desk.store.rotate_keys(by=asked.person.name)
    return go(f"{asked.path}?said=rotated")


async def change(asked: Asked) -> Sent:
    """Change settings; raises BadRequest, Unconfirmed or Outdated."""
    await _live.change(asked)
    return go(f"{asked.path}?said=set")


async def beta(asked: Asked) -> Sent:
    """Allow or forbid families that are not settled."""
    await _release.decide(asked)
    return go(f"{asked.path}?said=set")


def _as_file() -> Renderable:
    return div[
        h2[t("Models, features and settings as a file")],
        p[t("What this console changes, as TOML. API keys are not in it.")],
        p[a(".button", href="?export=toml", download=FILE, hx_boost="false")[t("Download the configuration")]],
        p(".soft.small")[
            rich("{command} makes a database hold what the file says.", command=code[f"homeport config apply {FILE}"])
        ],
    ]


async def _export(asked: Asked) -> Sent:
    """What `homeport config export` writes."""
    text = config_file.write(await asked.desk.store.snapshot())
    kept = (b"content-disposition", f'attachment; filename="{FILE}"'.encode())
    return Sent(text, headers=(kept,), content_type="application/toml; charset=utf-8")


PAGE = Page(
    path="/console/settings",
    title=mark("Settings"),
    see="auditor",
    view=view,
    acts={"rotate": rotate, "beta": beta, "change": change},
    menu="Operate",
    order=90,
)
