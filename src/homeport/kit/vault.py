"""Secrets at rest: AES-256-GCM under root keys that live in a file, never in the database.

The key file has one line per root key, `<id> <base64 of 32 bytes>`. The last one encrypts, all
decrypt. Each purpose has its own key, derived with HKDF-SHA-256 (RFC 5869), so that no key does
two jobs. A sealed text reads `v1.<key id>.<nonce>.<ciphertext>`; its context is authenticated but
not stored (NIST SP 800-38D calls it additional authenticated data), so that a sealed text opens
only in the place that it was sealed for.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
import stat
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

KEY_FILE = "keys"
"""Name of the key file in the data directory."""

_KEY_BYTES = 32
_NONCE_BYTES = 12
_TOO_OPEN = stat.S_IWGRP | stat.S_IRWXO
_VERSION = "v1"


class VaultError(Exception):
    """The key file cannot be used, or does not fit what was sealed: what was `saw`n and how to `fix` it."""

    def __init__(self, saw: str, fix: str) -> None:
        super().__init__(f"{saw} {fix}")
        self.saw = saw
        self.fix = fix


class Vault:
    """Seals and opens texts with the root keys of one file; safe to use from several threads.

    Without a file the keys live as long as the process: for a gateway that stores nothing.
    """

    def __init__(self, file: Path | None = None) -> None:
        """Read the root keys from `file`, which is made if missing; raises VaultError."""
        self._file = file
        self._roots: Mapping[str, bytes] = _new_root() if file is None else _read_or_create(file)
        self._derived: dict[tuple[str, str], bytes] = {}

    @classmethod
    def at(cls, data_dir: Path) -> Vault:
        """The vault of a data directory."""
        return cls(data_dir / KEY_FILE)

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Ids of the root keys; the last one encrypts, the first one is the stem of `derive`."""
        return tuple(self._roots)

    @property
    def sealing_id(self) -> str:
        """Id of the root key that `seal` uses now."""
        return self.key_ids[-1]

    @property
    def changed(self) -> datetime | None:
        """When the key file was written last, which is when its newest key was added; None without one."""
        try:
            return None if self._file is None else datetime.fromtimestamp(self._file.stat().st_mtime, UTC)
        except OSError:
            return None

    def seal(self, purpose: str, context: str, text: str) -> str:
        """Encrypt `text` so that it opens only with the same purpose and context."""
        key_id = self.sealing_id
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(self._key(key_id, purpose)).encrypt(nonce, text.encode(), context.encode())
        return f"{_VERSION}.{key_id}.{_to_text(nonce)}.{_to_text(sealed)}"

    def open(self, purpose: str, context: str, sealed: str) -> str:
        """The text that was sealed; raises VaultError, which never holds any part of it."""
        key_id, nonce, ciphertext = _parts(sealed)
        if key_id not in self._roots:
            self._reload(key_id)
        try:
            return AESGCM(self._key(key_id, purpose)).decrypt(nonce, ciphertext, context.encode()).decode()
        except InvalidTag:
            saw = f"A sealed secret does not open with key {key_id} of {self._place}."
            fix = "It was changed or moved since it was sealed, or the file is not the one it was sealed with: "
            raise VaultError(
                saw, f"{fix}restore the matching pair of database and key file, or enter it again."
            ) from None

    def derive(self, purpose: str) -> bytes:
        """32 bytes for `purpose`, from the first root key: they stay the same when keys are rotated."""
        return self._key(self.key_ids[0], purpose)

    def rotate(self) -> str:
        """Add a root key that encrypts from now on; returns its id. What is sealed stays readable."""
        added = _new_root()
        if self._file is None:
            self._roots = {**self._roots, **added}
        else:
            with _rewriting(self._file) as out:
                roots = {**_read(self._file), **added}
                out.write(_lines(roots))
            self._roots = roots
        return self.sealing_id

    @property
    def _place(self) -> str:
        return str(self._file or "this process (there is no key file)")

    def _reload(self, wanted: str) -> None:
        """Look at the file again: another process may have rotated."""
        if self._file is not None:
            self._roots = {**self._roots, **_read(self._file)}
        if wanted not in self._roots:
            saw = f"A secret was sealed with key {wanted}, but {self._place} holds only {', '.join(self._roots)}."
            fix = "Restore the key file that belongs to this database from its backup, or enter the secret again."
            raise VaultError(saw, fix)

    def _key(self, key_id: str, purpose: str) -> bytes:
        known = self._derived.get((key_id, purpose))
        if known is None:
            recipe = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=f"homeport {purpose}".encode())
            known = self._derived[key_id, purpose] = recipe.derive(self._roots[key_id])
        return known


def _new_root() -> dict[str, bytes]:
    """A root key under its id, which is taken from its digest so that a mistyped key is noticed."""
    key = secrets.token_bytes(_KEY_BYTES)
    return {_id_of(key): key}


def _id_of(key: bytes) -> str:
    return hashlib.sha256(b"homeport key id" + key).hexdigest()[:8]


def _to_text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _from_text(value: str) -> bytes:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


def _parts(sealed: str) -> tuple[str, bytes, bytes]:
    """Key id, nonce and ciphertext."""
    try:
        version, key_id, nonce, ciphertext = sealed.split(".")
        raw = _from_text(nonce)
        if version == _VERSION and len(raw) == _NONCE_BYTES:
            return key_id, raw, _from_text(ciphertext)
    except (ValueError, binascii.Error):
        pass
    saw = f"A sealed secret is not of the form {_VERSION}.<key id>.<nonce>.<ciphertext>."
    raise VaultError(saw, "It was damaged, or written by a newer version: restore the database, or enter it again.")


def _read_or_create(file: Path) -> dict[str, bytes]:
    if not file.exists():
        _create(file)
    return _read(file)


def _create(file: Path) -> None:
    """Make the file whole or not at all; of two processes that start at once, one wins."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _new_file(draft) as out:
            out.write(_lines(_new_root()))
        try:
            os.link(draft, file)
        except FileExistsError:
            return
        finally:
            draft.unlink()
    except OSError as error:
        saw = f"The key file {file} cannot be made: {error.strerror or error}."
        raise VaultError(saw, "Make its directory writable, or set HOMEPORT_DATA_DIR to another one.") from error


def _lines(roots: Mapping[str, bytes]) -> str:
    return "".join(f"{key_id} {base64.b64encode(key).decode()}\n" for key_id, key in roots.items())


@contextmanager
def _new_file(path: Path) -> Iterator[TextIO]:
    """A file that only its owner may read and that was not there before; on the disk when the block ends."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as out:
        yield out
        out.flush()
        os.fsync(descriptor)


@contextmanager
def _rewriting(file: Path) -> Iterator[TextIO]:
    """The next content of `file`, in place when the block ends; a second writer is kept out until then."""
    draft = file.with_name(f"{file.name}.new")
    try:
        with _new_file(draft) as out, _removed_on_failure(draft):
            yield out
        draft.replace(file)
    except FileExistsError:
        saw = f"Another process is changing {file}: {draft.name} exists."
        raise VaultError(saw, f"Try again when it is done; if it died, delete {draft}.") from None
    except OSError as error:
        saw = f"The key file {file} cannot be changed: {error.strerror or error}."
        raise VaultError(saw, "Make its directory writable and try again; nothing was changed.") from error


@contextmanager
def _removed_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _read(file: Path) -> dict[str, bytes]:
    """The root keys in the order of the file."""
    _refuse_if_open_to_others(file)
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        saw = f"The key file {file} cannot be read: {getattr(error, 'strerror', None) or 'it is not plain text'}."
        raise VaultError(saw, "Make it readable for the user that runs Homeport, or restore it.") from error
    roots = dict(_root(file, number, line) for number, line in enumerate(lines, 1) if line.strip())
    if not roots:
        saw = f"The key file {file} is empty."
        raise VaultError(saw, "Restore it from its backup.")
    return roots


def _root(file: Path, number: int, line: str) -> tuple[str, bytes]:
    """One line of the key file."""
    key_id, _, encoded = line.strip().partition(" ")
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        key = b""
    if len(key) == _KEY_BYTES and key_id == _id_of(key):
        return key_id, key
    saw = f"Line {number} of the key file {file} is not an id and the base64 of the 32-byte key it belongs to."
    raise VaultError(saw, "Restore the file from its backup; do not edit it by hand.")


def _refuse_if_open_to_others(file: Path) -> None:
    """A key file that other users may read, or the group may write, is no secret."""
    if os.name == "nt":
        return
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError as error:
        saw = f"The key file {file} cannot be read: {error.strerror or error}."
        raise VaultError(saw, "Restore it from its backup.") from error
    if mode & _TOO_OPEN:
        saw = f"Other users may read or change the key file {file} (mode {mode:04o})."
        raise VaultError(saw, f"Run: chmod 600 {file}")
