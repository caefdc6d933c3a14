"""Tokens that must not open anything, each sent to the real gateway: by what is wrong with it.

The first list is tried twice: as a token of GitLab's and as one that the gateway signed for an editor.
Source of the list: RFC 8725 and what went wrong in libraries since.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import issuer as gitlab
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from house import House, eventually, opened
from issuer import INSTANCE, REALM, SERVICE, USER, Issuer, b64, jwk
from joserfc import jwe
from joserfc.jwk import RSAKey

from homeport.access import keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

PATH = "/v2/code/completions"
BODY = {"current_file": {"file_name": "a.py", "content_above_cursor": "def a():\n", "content_below_cursor": ""}}
NOW = int(time.time())
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
OWN = gitlab.rsa_key("own")
OWN_KID = keys.from_rsa(OWN.public_key()).kid


@dataclass(frozen=True)
class Forger:
    """Makes tokens that are right but for one thing."""

    name: str
    """The issuer that they claim."""
    kid: str
    key: rsa.RSAPrivateKey
    usual: dict[str, Any]

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of a good token, changed; `...` leaves one out."""
        return gitlab.claims(self.name, **(self.usual | changes))

    def header(self, **changes: Any) -> dict[str, Any]:
        """The header of a good token, changed; `...` leaves a field out."""
        usual = {"alg": "RS256", "typ": "JWT", "kid": self.kid} | changes
        return {name: value for name, value in usual.items() if value is not ...}

    def seal(self, header: Any, claims: Any) -> str:
        """Any header and claims under a genuine RS256 signature."""
        body = f"{b64(header)}.{b64(claims)}"
        return f"{body}.{b64(self.rs256(body))}"

    def rs256(self, body: str) -> bytes:
        """The signature of a body."""
        return self.key.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256())

    def with_claims(self, **changes: Any) -> str:
        """A genuine token with other claims."""
        return self.seal(self.header(), self.claims(**changes))

    def with_header(self, **changes: Any) -> str:
        """A genuine token with another header."""
        return self.seal(self.header(**changes), self.claims())

    @property
    def good(self) -> str:
        """A token without fault."""
        return self.with_claims()

    @property
    def parts(self) -> list[str]:
        """Its three parts."""
        return self.good.split(".")


Attack = "Callable[[Forger], str]"
EVERYWHERE: dict[str, Callable[[Forger], str]] = {}
"""What is tried with both kinds of tokens."""


def hmac_of(secret: bytes, digest: str = "sha256", **header: Any) -> Callable[[Forger], str]:
    """A token sealed with a shared secret that an attacker knows."""

    def forge(f: Forger) -> str:
        body = f"{b64(f.header(**({'alg': 'HS' + digest[3:]} | header)))}.{b64(f.claims())}"
        return f"{body}.{b64(hmac.digest(secret, body.encode(), digest))}"

    return forge


def public_texts(key: rsa.RSAPrivateKey) -> Iterator[tuple[str, bytes]]:
    """The public key in every form in which a library was ever made to take it for a secret."""
    public = key.public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    as_pem = public.public_bytes(serialization.Encoding.PEM, spki)
    yield "PEM", as_pem
    yield "PEM stripped", as_pem.strip()
    yield "PEM with CRLF", as_pem.replace(b"\n", b"\r\n")
    yield "PEM after a line", b"\n" + as_pem
    yield "PEM after a space", b" " + as_pem
    yield "PEM after a comment", b"# key\n" + as_pem
    yield "PEM with spaces at line ends", as_pem.replace(b"\n", b" \n")
    yield "PEM body", b"".join(as_pem.splitlines()[1:-1])
    yield "DER", public.public_bytes(serialization.Encoding.DER, spki)
    yield "PKCS1 PEM", public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
    yield "OpenSSH", public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    published = jwk("k1", key)
    yield "JWK", json.dumps(published).encode()
    yield "JWK without spaces", json.dumps(published, separators=(",", ":")).encode()
    yield "JWK n", published["n"].encode()


def unsigned(algorithm: Any, signature: str = "") -> Callable[[Forger], str]:
    return lambda f: f"{b64(f.header(alg=algorithm))}.{b64(f.claims())}.{signature}"


def other_algorithm(name: str, sign: Callable[[Forger, bytes], bytes]) -> Callable[[Forger], str]:
    """A genuine signature by the issuer's own key, with an algorithm that is not ours."""

    def forge(f: Forger) -> str:
        body = f"{b64(f.header(alg=name))}.{b64(f.claims())}"
        return f"{body}.{b64(sign(f, body.encode()))}"

    return forge


def pkcs1(digest: hashes.HashAlgorithm) -> Callable[[Forger, bytes], bytes]:
    return lambda f, body: f.key.sign(body, padding.PKCS1v15(), digest)


def pss(f: Forger, body: bytes) -> bytes:
    return f.key.sign(body, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def p256(key: ec.EllipticCurvePrivateKey, body: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(body, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def signature(change: Callable[[bytes], bytes]) -> Callable[[Forger], str]:
    """A good token whose signature was changed."""

    def forge(f: Forger) -> str:
        body = ".".join(f.parts[:2])
        return f"{body}.{b64(change(f.rs256(body)))}"

    return forge


def part(number: int, change: Callable[[str], str]) -> Callable[[Forger], str]:
    """A good token one part of which is written differently."""

    def forge(f: Forger) -> str:
        found = f.parts
        found[number] = change(found[number])
        return ".".join(found)

    return forge


def last_bits(text: str) -> str:
    """The same bytes in base64 that is not the canonical one: its last bits, which mean nothing, are set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(text) % 4
    return text[:-1] + alphabet[alphabet.index(text[-1]) + 1]


def plus_modulus(f: Forger) -> str:
    """The number of the signature, one modulus larger: the same to who does not look at its size."""
    body = ".".join(f.parts[:2])
    number = int.from_bytes(f.rs256(body)) + f.key.public_key().public_numbers().n
    return f"{body}.{b64(number.to_bytes((number.bit_length() + 7) // 8))}"


def forged_scopes(f: Forger) -> str:
    header, _claims, sealed = f.parts
    return f"{header}.{b64(f.claims(scopes=['complete_code', 'admin']))}.{sealed}"


def uneven(claims: dict[str, Any]) -> bytes:
    """Claims whose length leaves bits over in base64."""
    text = json.dumps(claims).encode()
    return text + b" " * (1 if len(text) % 3 == 0 else 0)


def other_bits(f: Forger) -> str:
    header, body, sealed = f.seal(f.header(), uneven(f.claims())).split(".")
    return f"{header}.{last_bits(body)}.{sealed}"


def other_alphabet(f: Forger) -> str:
    """The same bytes in base64 as mail writes it."""
    good = next(token for token in iter(lambda: f.good, "") if {"-", "_"} & set(token))
    return good.replace("-", "+").replace("_", "/")


def flat(f: Forger) -> str:
    header, payload, sealed = f.parts
    return json.dumps({"protected": header, "payload": payload, "signature": sealed})


def general(*numbers: int) -> Callable[[Forger], str]:
    def forge(f: Forger) -> str:
        header, payload, sealed = f.parts
        return json.dumps(
            {"payload": payload, "signatures": [{"protected": header, "signature": sealed} for _ in numbers]}
        )

    return forge


def encrypted(f: Forger) -> str:
    """Sealed for the issuer instead of signed by it."""
    key = RSAKey.import_key(gitlab.public_pem(f.key))
    return jwe.encrypt_compact({"alg": "RSA-OAEP", "enc": "A128CBC-HS256"}, json.dumps(f.claims()), key)


def detached(f: Forger) -> str:
    """RFC 7797: what is signed is not what stands between the dots."""
    header = b64(f.header(b64=False, crit=["b64"]))
    return f"{header}..{b64(f.rs256(f'{header}.{json.dumps(f.claims())}'))}"


def embedded(f: Forger) -> str:
    """The attacker's own key, brought along."""
    theirs = gitlab.rsa_key("attacker")
    header = f.header(jwk=jwk(f.kid, theirs))
    return Forger(f.name, f.kid, theirs, f.usual).seal(header, f.claims())


def by_attacker(f: Forger) -> str:
    return Forger(f.name, f.kid, gitlab.rsa_key("attacker"), f.usual).good


def in_another(f: Forger) -> str:
    """A token as the payload of a token."""
    return f.seal(f.header(cty="JWT"), f.good.encode())


for casing in ("none", "None", "NONE", "nOnE", "nonE", "NoNe", "nONE", "nOne"):
    EVERYWHERE[f"alg {casing}"] = unsigned(casing)
EVERYWHERE |= {
    "alg none with a signature": lambda f: unsigned("none", f.parts[2])(f),
    "alg none with a space": unsigned("none "),
    "alg RS256 without a signature": unsigned("RS256"),
    "alg RS256 with one byte of signature": unsigned("RS256", "AA"),
}
for form, text in public_texts(gitlab.rsa_key()):
    EVERYWHERE[f"HS256 with {form}"] = hmac_of(text)
EVERYWHERE |= {
    "HS256 with an empty secret": hmac_of(b""),
    "HS256 with a null byte": hmac_of(b"\0"),
    "HS256 with the secret secret": hmac_of(b"secret"),
    "HS256 with the kid": lambda f: hmac_of(f.kid.encode())(f),
    "HS256 with the issuer": lambda f: hmac_of(f.name.encode())(f),
    "HS256 with the service name": hmac_of(SERVICE.encode()),
    "HS256 called RS256": hmac_of(gitlab.public_pem(gitlab.rsa_key()), alg="RS256"),
    "HS384": hmac_of(gitlab.public_pem(gitlab.rsa_key()), "sha384"),
    "HS512": hmac_of(gitlab.public_pem(gitlab.rsa_key()), "sha512"),
    "RS384": other_algorithm("RS384", pkcs1(hashes.SHA384())),
    "RS512": other_algorithm("RS512", pkcs1(hashes.SHA512())),
    "RS1": other_algorithm("RS1", pkcs1(hashes.SHA1())),  # noqa: S303 (it must be refused)
    "SHA-512 called RS256": other_algorithm("RS256", pkcs1(hashes.SHA512())),
    "PS256": other_algorithm("PS256", pss),
    "PS256 called RS256": other_algorithm("RS256", pss),
    "ES256 with a key for RSA": other_algorithm("ES256", lambda _f, body: p256(gitlab.ec_key(), body)),
    "ES256 called RS256": other_algorithm("RS256", lambda _f, body: p256(gitlab.ec_key(), body)),
    "RSA called ES256": other_algorithm("ES256", pkcs1(hashes.SHA256())),
    "EdDSA": other_algorithm("EdDSA", lambda _f, body: gitlab.ed_key().sign(body)),
    "Ed25519": other_algorithm("Ed25519", lambda _f, body: gitlab.ed_key().sign(body)),
    "EdDSA called RS256": other_algorithm("RS256", lambda _f, body: gitlab.ed_key().sign(body)),
}
for what, value in {
    "missing": ...,
    "null": None,
    "empty": "",
    "a number": 256,
    "a list": ["RS256"],
    "a list with none": ["none", "RS256"],
    "an object": {"RS256": True},
    "in lower case": "rs256",
    "with a space": "RS256 ",
    "after a space": " RS256",
    "with a null byte": "RS256\0",
    "unknown": "XX999",
}.items():
    EVERYWHERE[f"alg {what}"] = lambda f, value=value: f.with_header(alg=value)  # type: ignore[misc]  # the value of this turn
for what, value in {
    "unknown": "no-such-key",
    "of 8,000 characters": "k" * 8_000,
    "a path": "../../../../../dev/null",
    "a path to the process": "/proc/self/environ",
    "SQL": "' UNION SELECT 'secret' --",
    "a URL": "http://127.0.0.1:1/key",
    "a command": "$(id)",
    "a list": ["k1"],
    "an object": {"k1": 1},
    "a number": 1,
    "null": None,
    "true": True,
    "in upper case": "K1",
    "with a null byte": "k1\0",
    "with a space": "k1 ",
}.items():
    EVERYWHERE[f"kid {what}"] = lambda f, value=value: f.with_header(kid=value)  # type: ignore[misc]  # the value of this turn
for what, more in {
    "crit unknown": {"crit": ["exotic"], "exotic": 1},
    "crit known": {"crit": ["exp"], "exp": NOW + 3600},
    "crit empty": {"crit": []},
    "crit null": {"crit": None},
    "b64 false": {"b64": False},
    "b64 false and crit": {"b64": False, "crit": ["b64"]},
    "jku": {"jku": "http://127.0.0.1:1/keys"},
    "x5u": {"x5u": "http://127.0.0.1:1/cert"},
    "x5c": {"x5c": ["MIIB"]},
    "jwk null": {"jwk": None},
    "zip": {"zip": "DEF"},
    "enc": {"enc": "A128GCM"},
    "cty": {"cty": "JWT"},
    "typ of a log-out token": {"typ": "logout+jwt"},
    "typ of an access token": {"typ": "at+jwt"},
    "typ of a proof": {"typ": "dpop+jwt"},
    "typ a list": {"typ": ["JWT"]},
    "typ empty": {"typ": ""},
}.items():
    EVERYWHERE[f"header {what}"] = lambda f, more=more: f.with_header(**more)  # type: ignore[misc]  # the value of this turn
EVERYWHERE |= {
    "header jwk of the attacker": embedded,
    "header a list": lambda f: f.seal([f.header()], f.claims()),
    "header a text": lambda f: f.seal("RS256", f.claims()),
    "header null": lambda f: f.seal(None, f.claims()),
    "header empty": lambda f: f.seal({}, f.claims()),
    "header not JSON": lambda f: f.seal(b"{alg: RS256}", f.claims()),
    "header twice alg": lambda f: f.seal(b'{"alg":"RS256","kid":"%b","alg":"none"}' % f.kid.encode(), f.claims()),
    "header in UTF-16": lambda f: f.seal(json.dumps(f.header()).encode("utf-16"), f.claims()),
    "signed by the attacker": by_attacker,
    "encrypted": encrypted,
    "nested": in_another,
    "detached": detached,
    "JSON, flat": flat,
    "JSON, general": general(1),
    "JSON, two signatures": general(1, 2),
    "JSON, no signatures": general(),
    "one part": lambda f: f.parts[0],
    "two parts": lambda f: ".".join(f.parts[:2]),
    "four parts": lambda f: f"{f.good}.{f.parts[2]}",
    "five parts": lambda f: f"{f.good}.a.b",
    "a dot behind": lambda f: f"{f.good}.",
    "a dot in front": lambda f: f".{f.good}",
    "dots only": lambda _f: "..",
    "no header": part(0, lambda _text: ""),
    "no claims": part(1, lambda _text: ""),
    "twice, with a comma": lambda f: f"{f.good},{f.good}",
    "twice, with a space": lambda f: f"{f.good} {f.good}",
    "in quotes": lambda f: f'"{f.good}"',
    "with another scheme in front": lambda f: f"JWT {f.good}",
    "as Basic": lambda f: f"Basic {b64(f.good.encode())}",
    "padded header": part(0, lambda text: text + "=" * (-len(text) % 4 or 4)),
    "padded signature": part(2, lambda text: text + "=="),
    "signature in the other alphabet": other_alphabet,
    "plus in a part": part(2, lambda text: "+" + text[1:]),
    "slash in a part": part(2, lambda text: "/" + text[1:]),
    "space in a part": part(1, lambda text: text[:9] + " " + text[9:]),
    "tab in a part": part(1, lambda text: text[:9] + "\t" + text[9:]),
    "exclamation mark in the signature": part(2, lambda text: text[:9] + "!" + text[9:]),
    "percent-encoded": lambda f: f.good.replace(".", "%2E"),
    "encoded twice": part(1, lambda text: b64(text.encode())),
    "other bits at the end of the signature": part(2, last_bits),
    "other bits at the end of the claims": other_bits,
    "not ASCII": lambda f: "\xe9" + f.good,
    "signature with a bit flipped": signature(lambda raw: bytes([raw[0] ^ 1]) + raw[1:]),
    "signature cut": signature(lambda raw: raw[:-1]),
    "signature longer": signature(lambda raw: raw + b"\0"),
    "signature after a zero": signature(lambda raw: b"\0" + raw),
    "signature all zeros": signature(lambda raw: bytes(len(raw))),
    "signature of ones": signature(lambda raw: b"\xff" * len(raw)),
    "signature plus the modulus": plus_modulus,
    "signature of other claims": forged_scopes,
    "signature of the claims alone": lambda f: f"{'.'.join(f.parts[:2])}.{b64(f.rs256(f.parts[1]))}",
    "the same first half": lambda f: f.good[: len(f.good) // 2] + b64(b"x" * 500),
    "claims not JSON": lambda f: f.seal(f.header(), b"iss=gitlab"),
    "claims a list": lambda f: f.seal(f.header(), [f.claims()]),
    "claims a text": lambda f: f.seal(f.header(), json.dumps(f.claims())),
    "claims a number": lambda f: f.seal(f.header(), 7),
    "claims null": lambda f: f.seal(f.header(), None),
    "claims twice": lambda f: f.seal(f.header(), json.dumps(f.claims()).encode() * 2),
    "claims after a BOM": lambda f: f.seal(f.header(), b"\xef\xbb\xbf" + json.dumps(f.claims()).encode()),
    "claims not UTF-8": lambda f: f.seal(f.header(), json.dumps(f.claims()).encode()[:-1] + b',"x":"\xff"}'),
    "claims half a surrogate": lambda f: f.seal(f.header(), json.dumps(f.claims()).encode()[:-1] + b',"x":"\\ud800"}'),
    "claims 5,000 levels deep": lambda f: f.seal(
        f.header(), json.dumps(f.claims()).encode()[:-1] + b',"x":' + b"[" * 5_000 + b"]" * 5_000 + b"}"
    ),
    "claims compressed": lambda f: f.seal(f.header(zip="DEF"), zlib.compress(json.dumps(f.claims()).encode())),
    "longer than any token": lambda f: f.with_claims(padding="x" * 13_000),
}


def raw_claim(name: str, text: str) -> Callable[[Forger], str]:
    """A claim that Python's JSON would not write."""

    def forge(f: Forger) -> str:
        claims = json.dumps(f.claims(**{name: ...}))
        return f.seal(f.header(), f'{claims[:-1]}, "{name}": {text}}}'.encode())

    return forge


for claim, wrong in {
    "exp": {
        "missing": ...,
        "null": None,
        "a text": str(NOW + 3600),
        "a date": "2099-01-01T00:00:00Z",
        "true": True,
        "a list": [NOW + 3600],
        "an object": {"exp": NOW + 3600},
        "zero": 0,
        "negative": -1,
        "past": NOW - 3600,
        "past with a fraction": NOW - 3600.5,
        "in milliseconds": (NOW + 3600) * 1000,
        "too far for a calendar": 10**15,
    },
    "nbf": {
        "in an hour": NOW + 3600,
        "a text": "0",
        "null": None,
        "a list": [0],
        "true": True,
        "negative": -5,
    },
    "iat": {"in an hour": NOW + 3600, "a text": "0", "null": None, "an object": {}},
    "aud": {
        "missing": ...,
        "null": None,
        "empty": "",
        "an empty list": [],
        "another service": "gitlab-duo-workflow-service",
        "cut": SERVICE[:-1],
        "longer": SERVICE + "-2",
        "in upper case": SERVICE.upper(),
        "with a space": f" {SERVICE}",
        "a URL": f"https://{SERVICE}",
        "a list without it": ["customers-dot", "other"],
        "a list that joins to it": [SERVICE[:6], SERVICE[6:]],
        "a nested list": [[SERVICE]],
        "a list with a number": [SERVICE, 1],
        "a list with null": [None, SERVICE],
        "an object": {SERVICE: 1},
        "true": True,
        "an application's id": hashlib.sha256(b"application").hexdigest(),
    },
    "iss": {
        "missing": ...,
        "null": None,
        "empty": "",
        "another": "https://gitlab.test",
        "a list": ["https://gitlab.test"],
        "a number": 7,
        "an object": {},
        "of 2,000 characters": "https://gitlab.test/" + "x" * 2_000,
        "a file": "file:///etc/passwd",
    },
    "sub": {"missing": ..., "null": None, "empty": "", "a list": [INSTANCE], "a number": 7, "another's": "another"},
    "scopes": {
        "missing": ...,
        "null": None,
        "a text": "complete_code generate_code",
        "a text with commas": "complete_code,generate_code",
        "an object": {"complete_code": True},
        "a number": 1,
        "true": True,
        "with a number": ["complete_code", 1],
        "nested": [["complete_code"]],
        "with null": ["complete_code", None],
        "too many": ["s"] * 501,
        "too long": ["complete_code", "s" * 101],
    },
    "gitlab_realm": {"another": "saas", "a list": [REALM], "a number": 1, "true": True, "in upper case": REALM.upper()},
    "gitlab_instance_id": {"another's": "another", "a list": [INSTANCE], "a number": 1, "true": True},
}.items():
    for what, value in wrong.items():
        EVERYWHERE[f"{claim} {what}"] = lambda f, c=claim, v=value: f.with_claims(**{c: v})  # type: ignore[misc]  # the values of this turn
for claim, text in {"exp": "NaN", "nbf": "NaN", "iat": "-Infinity"}.items():
    EVERYWHERE[f"{claim} {text}"] = raw_claim(claim, text)
EVERYWHERE |= {
    "exp Infinity": raw_claim("exp", "Infinity"),
    "exp 1e400": raw_claim("exp", "1e400"),
    "exp of 400 digits": raw_claim("exp", "9" * 400),
    "exp 1e300": raw_claim("exp", "1e300"),
    "iss with a slash behind": lambda f: f.with_claims(iss=f.name + "/"),
    "iss in upper case": lambda f: f.with_claims(iss=f.name.upper()),
    "iss with a path behind": lambda f: f.with_claims(iss=f.name + "/x"),
    "iss with a space": lambda f: f.with_claims(iss=f.name + " "),
    "iss with a null byte": lambda f: f.with_claims(iss=f.name + "\0"),
    "iss with another port": lambda f: f.with_claims(iss=f.name + "0"),
    "an ID token for a pipeline": lambda f: f.with_claims(
        scopes=..., sub="project_path:attacker/project:ref_type:branch:ref:main", gitlab_realm=...
    ),
    "an ID token for an application": lambda f: f.with_claims(aud="4f2a" * 16, scopes=..., nonce="n", auth_time=NOW),
    "a log-out token": lambda f: f.with_claims(
        scopes=..., events={"http://schemas.openid.net/event/backchannel-logout": {}}
    ),
}

HEADERS: dict[str, dict[str, str]] = {
    "no type": {"X-Gitlab-Authentication-Type": ""},
    "type JWT": {"X-Gitlab-Authentication-Type": "jwt"},
    "type in upper case": {"X-Gitlab-Authentication-Type": "OIDC"},
    "type twice": {"X-Gitlab-Authentication-Type": "oidc, oidc"},
    "no realm": {"X-Gitlab-Realm": ""},
    "another realm": {"X-Gitlab-Realm": "saas"},
    "realm in upper case": {"X-Gitlab-Realm": "Self-Managed"},
    "no instance": {"X-Gitlab-Instance-Id": ""},
    "another instance": {"X-Gitlab-Instance-Id": "00000000-0000-0000-0000-000000000000"},
    "instance cut": {"X-Gitlab-Instance-Id": INSTANCE[:-1]},
    "instance in upper case": {"X-Gitlab-Instance-Id": INSTANCE.upper()},
    "two realms": {"X-Gitlab-Realm": REALM, "x-gitlab-realm": "saas"},
    "two instances": {"X-Gitlab-Instance-Id": INSTANCE, "x-gitlab-instance-id": "another"},
}


@pytest.fixture(scope="module")
async def issuer() -> AsyncIterator[Issuer]:
    """A GitLab, whose set also holds what nobody should use."""
    found = Issuer()
    weak = gitlab.rsa_key("weak", 1024)
    other_curve = ec.generate_private_key(ec.SECP384R1())
    found.extra = [
        jwk("weak", weak),
        jwk("for encryption", gitlab.rsa_key(), use="enc"),
        jwk("for RS512", gitlab.rsa_key(), alg="RS512"),
        jwk("no verifying", gitlab.rsa_key(), key_ops=["sign"]),
        {"kty": "oct", "kid": "shared", "k": b64(b"shared secret of thirty-two byte"), "alg": "HS256", "use": "sig"},
        {"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": b64(gitlab.ed_key().public_key().public_bytes_raw())},
        {"kty": "EC", "kid": "p384", "crv": "P-384", **_coordinates(other_curve)},
        {"kty": "EC", "kid": "off the curve", "crv": "P-256", "x": b64(bytes([1] * 32)), "y": b64(bytes([2] * 32))},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        {"kty": "RSA", "kid": "exponent one", "n": jwk("x", gitlab.rsa_key())["n"], "e": "AQ"},
        {"kty": "RSA", "kid": "even", "n": b64((2**2047).to_bytes(256)), "e": "AQAB"},
        {**jwk("private", gitlab.rsa_key()), "d": "AQAB"},
        {**jwk("", gitlab.rsa_key()), "kid": ""},
        {**jwk("x", gitlab.rsa_key()), "kid": 7},
        "k1",
        None,
    ]
    async with found.listening():
        yield found


def _coordinates(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    return {"x": b64(numbers.x.to_bytes(48)), "y": b64(numbers.y.to_bytes(48))}


@pytest.fixture(scope="module")
async def gateway(issuer: Issuer) -> AsyncIterator[House]:
    """A gateway that accepts tokens of this GitLab, of another one and of its own."""
    async with Issuer().listening() as other:
        other.keys = {"other": gitlab.rsa_key("other")}
        async with opened(
            gitlab_url=issuer.url, customer_portal_url=other.url, jwt_signing_key=gitlab.pem(OWN), service_name=SERVICE
        ) as house:
            house.other = other  # type: ignore[attr-defined]  # kept for the tests of this file
            federation = house.app.door.federation
            assert federation is not None
            await eventually(lambda: len(federation.issuers.current) == 2)
            yield house


@pytest.fixture
def house(gateway: House) -> House:
    """The gateway, with nothing heard yet."""
    gateway.models.forget()
    return gateway


@pytest.fixture
def theirs(issuer: Issuer) -> Forger:
    """GitLab's tokens."""
    return Forger(issuer.name, "k1", gitlab.rsa_key(), {})


@pytest.fixture
def ours() -> Forger:
    """Tokens that the gateway signed for an editor."""
    return Forger(SERVICE, OWN_KID, OWN, {"sub": USER, "gitlab_instance_id": INSTANCE, "scopes": ["complete_code"]})


async def refused(house: House, token: str, headers: dict[str, str] | None = None) -> str:
    """Send it; gives what was said, once it is certain that nothing was opened and nothing repeated."""
    answer = await house.ask("POST", PATH, BODY, headers or gitlab.headers(), token)
    assert answer.status == 401, answer.body
    assert answer.header("www-authenticate") == "Bearer"
    assert list(answer.json) == ["error"]
    text = answer.json["error"]
    assert isinstance(text, str)
    assert "correlation id" in text
    for piece in token.split("."):
        assert len(piece) < 20 or piece not in text
    assert not house.models.heard
    return str(text)


@pytest.mark.parametrize("kind", ["theirs", "ours"])
async def test_a_token_without_fault_is_accepted(house: House, kind: str, request: pytest.FixtureRequest) -> None:
    forger: Forger = request.getfixturevalue(kind)
    answer = await house.ask("POST", PATH, BODY, gitlab.headers(), forger.good)
    assert answer.status == 200, answer.body
    assert len(house.models.heard) == 1


@pytest.mark.parametrize("name", EVERYWHERE)
async def test_gitlabs_token(house: House, theirs: Forger, name: str) -> None:
    await refused(house, EVERYWHERE[name](theirs))


@pytest.mark.parametrize("name", EVERYWHERE)
async def test_our_own_token(house: House, ours: Forger, name: str) -> None:
    await refused(house, EVERYWHERE[name](ours))


@pytest.mark.parametrize("kind", ["theirs", "ours"])
@pytest.mark.parametrize("name", HEADERS)
async def test_headers_that_do_not_fit(house: House, name: str, kind: str, request: pytest.FixtureRequest) -> None:
    forger: Forger = request.getfixturevalue(kind)
    text = await refused(house, forger.good, gitlab.headers() | HEADERS[name])
    assert "X-Gitlab-" in text


async def test_the_user_of_an_editors_token(house: House, ours: Forger) -> None:
    for value in ("", "another", USER.lower()):
        text = await refused(house, ours.good, gitlab.headers() | {"X-Gitlab-Global-User-Id": value})
        assert "Header mismatch" in text
        assert "X-Gitlab-Global-User-Id" in text


@pytest.mark.parametrize(
    "kid",
    ["weak", "for encryption", "for RS512", "no verifying", "broken", "exponent one", "even", "private", ""],
)
async def test_a_key_that_should_not_be_used(house: House, theirs: Forger, kid: str) -> None:
    key = gitlab.rsa_key("weak", 1024) if kid == "weak" else gitlab.rsa_key()
    await refused(house, Forger(theirs.name, kid, key, {}).good)


async def test_no_kid_at_all(house: House, theirs: Forger) -> None:
    assert "kid" in await refused(house, theirs.with_header(kid=...))


async def test_a_shared_secret_that_was_published(house: House, theirs: Forger) -> None:
    await refused(house, hmac_of(b"shared secret of thirty-two byte", kid="shared")(theirs))


@pytest.mark.parametrize(("kid", "algorithm"), [("ed", "EdDSA"), ("ed", "Ed25519"), ("ed", "ES256"), ("e1", "EdDSA")])
async def test_the_key_of_another_algorithm(house: House, theirs: Forger, kid: str, algorithm: str) -> None:
    body = f"{b64(theirs.header(alg=algorithm, kid=kid))}.{b64(theirs.claims())}"
    await refused(house, f"{body}.{b64(gitlab.ed_key().sign(body.encode()))}")


@pytest.mark.parametrize(
    "name",
    ["all zeros", "r zero", "s zero", "s of the order", "cut", "longer", "DER", "flipped", "of the attacker", "RS256"],
)
async def test_a_signature_on_a_curve(house: House, theirs: Forger, name: str) -> None:
    body = f"{b64(theirs.header(alg='ES256', kid='e1'))}.{b64(theirs.claims())}"
    key = gitlab.ec_key()
    good = p256(key, body.encode())
    assert (await house.ask("POST", PATH, BODY, gitlab.headers(), f"{body}.{b64(good)}")).status == 200
    house.models.forget()
    wrong = {
        "all zeros": bytes(64),
        "r zero": bytes(32) + good[32:],
        "s zero": good[:32] + bytes(32),
        "s of the order": good[:32] + P256_ORDER.to_bytes(32),
        "cut": good[:-1],
        "longer": good + b"\0",
        "DER": key.sign(body.encode(), ec.ECDSA(hashes.SHA256())),
        "flipped": bytes([good[0] ^ 1]) + good[1:],
        "of the attacker": p256(gitlab.ec_key("attacker"), body.encode()),
        "RS256": theirs.rs256(body),
    }[name]
    await refused(house, f"{body}.{b64(wrong)}")


async def test_the_other_way_to_write_a_signature_on_a_curve(house: House, theirs: Forger) -> None:
    """(r, n - s) is valid wherever (r, s) is; decision 10 says why that is harmless: it opens what the token opens."""
    header = b64(theirs.header(alg="ES256", kid="e1"))
    for claims, status in ((theirs.claims(), 200), (theirs.claims(scopes=["duo_chat"]), 403)):
        body = f"{header}.{b64(claims)}"
        good = p256(gitlab.ec_key(), body.encode())
        twin = good[:32] + (P256_ORDER - int.from_bytes(good[32:])).to_bytes(32)
        for signature in (good, twin):
            answer = await house.ask("POST", PATH, BODY, gitlab.headers(), f"{body}.{b64(signature)}")
            assert answer.status == status
        house.models.forget()
        await refused(house, f"{header}.{b64(claims | {'scopes': ['complete_code', 'duo_chat']})}.{b64(twin)}")
        await refused(house, f"{header}.{b64(claims | {'exp': claims['exp'] + 1})}.{b64(twin)}")


async def test_a_key_counts_for_its_own_issuer_only(house: House, theirs: Forger, ours: Forger) -> None:
    other: Issuer = house.other  # type: ignore[attr-defined]  # see the fixture
    foreign = Forger(other.name, "other", gitlab.rsa_key("other"), {})
    assert (await house.ask("POST", PATH, BODY, gitlab.headers(), foreign.good)).status == 200
    house.models.forget()
    for claimed, forger in (
        (theirs.name, foreign),
        (foreign.name, theirs),
        (theirs.name, ours),
        (foreign.name, ours),
        (SERVICE, theirs),
        (SERVICE, foreign),
    ):
        usual = ours.usual if claimed == SERVICE else {}
        await refused(house, Forger(claimed, forger.kid, forger.key, usual).good)


async def test_a_gitlabs_claim_to_be_a_user(house: House, theirs: Forger) -> None:
    """An instance's token is bound to its instance, whatever user id a header names."""
    await refused(house, theirs.with_claims(sub=USER), gitlab.headers())


async def test_the_list_is_long_enough() -> None:
    assert len(EVERYWHERE) >= 120
