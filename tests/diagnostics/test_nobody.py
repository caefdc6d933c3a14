"""Why nobody answers at Homeport's address: what is said, and what helps."""

from __future__ import annotations

import pytest

from homeport.diagnostics._nobody import START, nobody, unspoken
from homeport.kit.upstream import Unreachable

URL = "https://ai.example.com"


@pytest.mark.parametrize(
    ("error", "saw", "fix"),
    [
        (Unreachable("refused"), f"Nothing answers at {URL}.", START),
        (Unreachable("network", "No route to host"), f"Nothing answers at {URL} (No route to host).", START),
        (Unreachable("dns", "Name or service not known"), "(Name or service not known).", "Mend the host name"),
        (Unreachable("tls", "self-signed certificate"), "(self-signed certificate).", "HOMEPORT_CA_FILE=PATH"),
        (Unreachable("tls", "certificate has expired"), "(certificate has expired).", "Renew the certificate"),
        (Unreachable("tls"), "(no reason given).", "HOMEPORT_CA_FILE=PATH"),
        (Unreachable("plain"), "speaks plain HTTP", "Set HOMEPORT_URL=http://ai.example.com"),
    ],
    ids=str,
)
def test_each_cause_has_its_remedy(error: Unreachable, saw: str, fix: str) -> None:
    found = nobody(URL, error)
    assert saw in found.saw
    assert fix in found.fix
    assert URL in found.saw


@pytest.mark.parametrize(
    ("url", "fix"),
    [
        ("ai.example.com:5050", "Set HOMEPORT_URL=http://ai.example.com:5050"),
        ("ftp://ai.example.com", "Set HOMEPORT_URL=http://HOST:PORT"),
        ("http://ada:canary@ai.example.com", "Set HOMEPORT_URL to the address alone; the token is HOMEPORT_TOKEN."),
    ],
)
def test_what_is_no_address(url: str, fix: str) -> None:
    found = nobody(url, Unreachable("url"))
    assert found.fix == fix
    assert "canary" not in str(found)


def test_what_is_no_http_may_be_tls() -> None:
    assert "HOMEPORT_URL=https://ai.example.com" in unspoken("http://ai.example.com").fix
    assert unspoken(URL).fix == "Is it Homeport?"
