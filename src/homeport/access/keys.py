"""Public keys that tokens are checked with; each is bound to one algorithm for good.

Sources: RFC 7517 (JSON Web Key), RFC 7518 (RS256, ES256), RFC 8725 (best current practices).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, Hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

Algorithm = Literal["RS256", "ES256"]

RSA_BITS = range(2048, 8192 + 1)
"""Shorter keys can be broken, longer ones cost too much to check with."""
RSA_EXPONENT = 2**32
KEYS = 100
"""Keys that one set may have."""
KID = 200
"""Characters that a key id may have."""
_P256_BYTES = 32
_RSA, _ECDSA, _SHA256 = PKCS1v15(), ECDSA(SHA256()), SHA256()


class Unusable(Exception):
    """A key, or a whole set, that no token can be checked with; the text says why."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key and the one algorithm that it is used with."""

    kid: str
    algorithm: Algorithm
    numbers: tuple[int, int]
    """What the key is: modulus and exponent, or the two coordinates."""
    public: RSAPublicKey | EllipticCurvePublicKey = field(compare=False, repr=False)

    def fits(self, signature: bytes, signed: bytes) -> bool:
        """Whether `signature` is this key's for the bytes `signed`."""
        try:
            if isinstance(self.public, RSAPublicKey):
                self.public.verify(signature, signed, _RSA, _SHA256)
            elif len(signature) == 2 * _P256_BYTES:
                self.public.verify(_as_der(signature), signed, _ECDSA)
            else:
                return False
        except InvalidSignature:
            return False
        return True


class KeySet(NamedTuple):
    """The keys of one issuer that can be used, and why the others cannot."""

    keys: Mapping[str, Key]
    skipped: tuple[str, ...] = ()


def read_set(document: bytes) -> KeySet:
    """The keys of a JWK set; one that cannot be used is skipped. Raises Unusable when none is left."""
    try:
        listed = orjson.loads(document)["keys"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise Unusable("it is not a JWK set") from None
    if not isinstance(listed, list) or len(listed) > KEYS:
        raise Unusable(f"its keys are not a list of at most {KEYS}")
    found, skipped = _sorted_out(listed)
    if not found:
        raise Unusable(f"it holds no key that can be used ({'; '.join(skipped[:3]) or 'it is empty'})")
    return KeySet(found, skipped)


def _sorted_out(listed: Iterable[Any]) -> tuple[dict[str, Key], tuple[str, ...]]:
    """The usable keys by id, of which the first counts, and what is wrong with the rest."""
    found: dict[str, Key] = {}
    skipped: list[str] = []
    for number, entry in enumerate(listed):
        try:
            key = from_jwk(entry)
        except Unusable as error:
            skipped.append(f"key {number}: {error}")
        else:
            found.setdefault(key.kid, key)
    return found, tuple(skipped)


def from_jwk(entry: Any) -> Key:  # noqa: ANN401 (whatever an issuer published)
    """One entry of a JWK set; raises Unusable."""
    if not isinstance(entry, dict):
        raise Unusable("it is not an object")
    if "d" in entry or "k" in entry:
        raise Unusable("it is not a public key")
    if entry.get("use", "sig") != "sig" or entry.get("key_ops", ["verify"]) != ["verify"]:
        raise Unusable("it is not for checking signatures")
    kid = entry.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= KID:
        raise Unusable("it has no usable kid")
    if entry.get("kty") == "RSA" and entry.get("alg", "RS256") == "RS256":
        return _rsa_of(kid, entry)
    if entry.get("kty") == "EC" and entry.get("alg", "ES256") == "ES256" and entry.get("crv") == "P-256":
        return _p256_of(kid, entry)
    raise Unusable("it is neither an RSA key for RS256 nor a P-256 key for ES256")


def from_rsa(public: RSAPublicKey, kid: str = "") -> Key:
    """An RSA key; without an id it gets its thumbprint (RFC 7638). Raises Unusable for a weak or huge one."""
    numbers = public.public_numbers()
    _check_size(numbers.n, numbers.e)
    return Key(kid or _thumbprint(numbers), "RS256", (numbers.n, numbers.e), public)


def _rsa_of(kid: str, entry: Mapping[str, Any]) -> Key:
    modulus, exponent = _number(entry.get("n"), RSA_BITS[-1] // 8), _number(entry.get("e"), 8)
    _check_size(modulus, exponent)
    try:
        return from_rsa(RSAPublicNumbers(exponent, modulus).public_key(), kid)
    except ValueError:
        raise Unusable("its numbers are not an RSA key") from None


def _check_size(modulus: int, exponent: int) -> None:
    bits = modulus.bit_length()
    if bits not in RSA_BITS:
        raise Unusable(f"it has {bits} bits, not {RSA_BITS[0]} to {RSA_BITS[-1]}")
    if exponent >= RSA_EXPONENT:
        raise Unusable("its exponent is too large")


def _p256_of(kid: str, entry: Mapping[str, Any]) -> Key:
    x, y = _number(entry.get("x"), _P256_BYTES), _number(entry.get("y"), _P256_BYTES)
    try:
        public = EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
    except ValueError:
        raise Unusable("its point is not on the curve") from None
    return Key(kid, "ES256", (x, y), public)


def _number(text: Any, most: int) -> int:  # noqa: ANN401 (whatever an issuer published)
    """A number of at most `most` bytes, as JWK writes it."""
    try:
        raw = unpadded(text.encode())
    except (AttributeError, ValueError):
        raise Unusable("one of its numbers is not base64url") from None
    if not 0 < len(raw) <= most + 1:
        raise Unusable("one of its numbers is missing or too large")
    return int.from_bytes(raw)


def unpadded(text: bytes) -> bytes:
    """The bytes of base64url without padding; raises ValueError for any text but the one proper one (RFC 7515)."""
    try:
        raw = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except binascii.Error:
        raise ValueError("not base64url") from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != text:
        raise ValueError("not the canonical base64url")
    return raw


def to_text(raw: bytes) -> bytes:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _as_der(signature: bytes) -> bytes:
    """The two numbers of an ES256 signature as the library takes them."""
    r, s = signature[:_P256_BYTES], signature[_P256_BYTES:]
    return encode_dss_signature(int.from_bytes(r), int.from_bytes(s))


def _thumbprint(numbers: RSAPublicNumbers) -> str:
    e, n = (to_text(number.to_bytes((number.bit_length() + 7) // 8)).decode() for number in (numbers.e, numbers.n))
    digest = Hash(SHA256())
    digest.update(f'{{"e":"{e}","kty":"RSA","n":"{n}"}}'.encode())
    return to_text(digest.finalize()).decode()
