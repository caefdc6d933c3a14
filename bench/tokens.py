"""What a credential costs: at our gate, and in two libraries (`.venv/bin/python bench/tokens.py`).

Each figure is the best of many short runs, so that what else runs on the machine counts little.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import timeit
from typing import TYPE_CHECKING

import jwt as pyjwt
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jws
from joserfc.jwk import RSAKey

from homeport.access import Need, tokens
from homeport.access.direct import Direct
from homeport.access.gate import Gate
from homeport.access.issuers import Issuers
from homeport.access.keys import Key, from_rsa
from homeport.access.signed import SignedVerifier
from homeport.domain.models import Snapshot, Token

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ISSUER, PEPPER = "https://gitlab.example", b"p" * 32
SCOPES = ["complete_code", *(f"unit_primitive_number_{number}" for number in range(60))]
NEED = Need("complete_code")
IMPORTS = {
    "PyJWT": "import jwt",
    "joserfc": "from joserfc import jws, jwk",
    "cryptography alone": "from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa",
}


class Known(Issuers):
    """An issuer whose keys are there."""

    def __init__(self, ring: Mapping[str, Key]) -> None:
        super().__init__(())
        self.current = {ISSUER: ring}


def best_us(work: Callable[[], object], runs: int = 2000, loops: int = 20) -> float:
    """Microseconds of one call."""
    return min(timeit.repeat(work, number=loops, repeat=runs)) / loops * 1e6


def import_ms(statement: str) -> float:
    """Milliseconds of CPU that an import adds to a started Homeport."""
    measured = (
        "import homeport.app, time; began = time.process_time(); "
        f"{statement}; print((time.process_time() - began) * 1000)"
    )
    command = [sys.executable, "-c", measured]
    return min(float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(5))


def headers(credential: str) -> list[tuple[bytes, bytes]]:
    """As many as GitLab sends."""
    named = {
        "authorization": f"Bearer {credential}",
        "x-gitlab-authentication-type": "oidc",
        "x-gitlab-instance-id": "id",
        "x-gitlab-realm": "self-managed",
    }
    more = {f"x-gitlab-header-{number}": "value" for number in range(18)}
    return [(name.encode(), value.encode()) for name, value in (named | more).items()]


def main() -> None:
    """Print the table."""
    private = rsa.generate_private_key(65537, 2048)
    public = private.public_key()
    claims = {"iss": ISSUER, "aud": "gitlab-ai-gateway", "sub": "id", "exp": int(time.time()) + 3600}
    claims |= {"scopes": SCOPES, "gitlab_realm": "self-managed"}
    signed = pyjwt.encode(claims, private, "RS256", {"kid": "k"})
    own = tokens.mint()
    row = Token(name="t", owner="o", scopes=frozenset(SCOPES))
    verifier = SignedVerifier(Known({"k": from_rsa(public, "k")}), Direct("gitlab-ai-gateway", None))
    gate = Gate(lambda: snapshot, PEPPER, verifiers=[verifier])
    snapshot = Snapshot(tokens={tokens.digest(PEPPER, own): row})
    theirs, ours = headers(signed), headers(own)

    def first_seen() -> object:
        verifier._known.clear()  # noqa: SLF001 (as if it had never come before)
        return gate.admit(theirs, NEED)

    library, joserfc_key = pyjwt.PyJWS(algorithms=["RS256"]), RSAKey.import_key(public)
    figures = {
        "a token of ours": best_us(lambda: gate.admit(ours, NEED)),
        f"a signed token of {len(signed)} characters, seen before": best_us(lambda: gate.admit(theirs, NEED)),
        "the same, seen for the first time": best_us(first_seen),
        "its signature by PyJWT, nothing else": best_us(
            lambda: library.decode_complete(signed, public, algorithms=["RS256"])
        ),
        "its signature by joserfc, nothing else": best_us(
            lambda: json.loads(jws.deserialize_compact(signed, joserfc_key, algorithms=["RS256"]).payload)
        ),
    }
    for what, microseconds in figures.items():
        print(f"{microseconds:8.1f} µs  {what}")
    for what, statement in IMPORTS.items():
        print(f"{import_ms(statement):8.1f} ms  importing {what}")


if __name__ == "__main__":
    main()
