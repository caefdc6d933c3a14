from __future__ import annotations

import base64
import os
import re
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.kit.vault import KEY_FILE, Vault, VaultError

if TYPE_CHECKING:
    from pathlib import Path

PURPOSE = "db-secrets"
HERE = "model_keys|ciphertext|1|https://a:443"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.at(tmp_path)


@given(text=st.text(st.characters(codec="utf-8")), context=st.text(st.characters(codec="utf-8")))
def test_what_was_sealed_opens(text: str, context: str) -> None:
    vault = Vault()
    assert vault.open(PURPOSE, context, vault.seal(PURPOSE, context, text)) == text


def test_a_sealed_text_names_version_and_key_and_shows_nothing(vault: Vault) -> None:
    sealed = vault.seal(PURPOSE, HERE, "canary-key")
    assert re.fullmatch(r"v1\.[0-9a-f]{8}\.[\w-]{16}\.[\w-]+", sealed)
    assert sealed.split(".")[1] == vault.sealing_id
    assert "canary" not in sealed


def test_no_two_sealed_texts_are_alike(vault: Vault) -> None:
    assert len({vault.seal(PURPOSE, HERE, "same") for _ in range(200)}) == 200


@pytest.mark.parametrize(("purpose", "context"), [("other", HERE), (PURPOSE, HERE + "0"), (PURPOSE, "")])
def test_it_opens_nowhere_else(vault: Vault, purpose: str, context: str) -> None:
    sealed = vault.seal(PURPOSE, HERE, "canary-key")
    with pytest.raises(VaultError, match="does not open with key") as caught:
        vault.open(purpose, context, sealed)
    assert "canary" not in str(caught.value)


@given(at=st.integers(0), flip=st.integers(1, 63))
def test_no_changed_character_goes_unnoticed(at: int, flip: int) -> None:
    vault = Vault()
    sealed = vault.seal(PURPOSE, HERE, "canary-key")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    place = len("v1.12345678.") + at % 16
    changed = alphabet[alphabet.index(sealed[place]) ^ flip]
    with pytest.raises(VaultError):
        vault.open(PURPOSE, HERE, sealed[:place] + changed + sealed[place + 1 :])


@pytest.mark.parametrize("sealed", ["", "canary", "v2.1.2.3", "v1.12345678.AAAA", "v1.a.b.c.d", "v1.ä.ö.ü"])
def test_what_was_never_sealed_is_said_so(vault: Vault, sealed: str) -> None:
    with pytest.raises(VaultError, match="sealed"):
        vault.open(PURPOSE, HERE, sealed)


@pytest.mark.parametrize("kept", range(17))
def test_what_was_cut_is_said_so(vault: Vault, kept: int) -> None:
    """Whatever was lost of it: one damaged row must not keep all others from being read."""
    version, key_id, nonce, sealed = vault.seal(PURPOSE, HERE, "canary-key").split(".")
    for damaged in (f"{version}.{key_id}.{nonce[: kept % 16]}.{sealed}", f"{version}.{key_id}.{nonce}.{sealed[:kept]}"):
        with pytest.raises(VaultError, match="sealed"):
            vault.open(PURPOSE, HERE, damaged)


def test_the_key_file_is_for_its_owner_only_and_stays(tmp_path: Path) -> None:
    data_dir = tmp_path / "not" / "there"
    first = Vault.at(data_dir)
    assert stat.S_IMODE((data_dir / KEY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    assert [path.name for path in data_dir.iterdir()] == [KEY_FILE]
    assert Vault.at(data_dir).open(PURPOSE, HERE, first.seal(PURPOSE, HERE, "x")) == "x"


def test_a_rotated_vault_seals_with_the_new_key_and_opens_the_old(vault: Vault, tmp_path: Path) -> None:
    old, pepper = vault.seal(PURPOSE, HERE, "old"), vault.derive("pat-pepper")
    added = vault.rotate()
    again = Vault.at(tmp_path)
    assert again.key_ids == vault.key_ids == (old.split(".")[1], added)
    assert vault.seal(PURPOSE, HERE, "new").split(".")[1] == added
    assert again.open(PURPOSE, HERE, old) == "old"
    assert again.derive("pat-pepper") == vault.derive("pat-pepper") == pepper
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def test_a_rotation_elsewhere_is_noticed(vault: Vault, tmp_path: Path) -> None:
    other = Vault.at(tmp_path)
    other.rotate()
    assert vault.open(PURPOSE, HERE, other.seal(PURPOSE, HERE, "theirs")) == "theirs"


def test_two_rotations_lose_no_key(vault: Vault, tmp_path: Path) -> None:
    other = Vault.at(tmp_path)
    ids = {*vault.key_ids, vault.rotate(), other.rotate()}
    assert set(Vault.at(tmp_path).key_ids) == ids


def test_a_rotation_in_progress_keeps_others_out(vault: Vault, tmp_path: Path) -> None:
    draft = tmp_path / "keys.new"
    draft.touch()
    with pytest.raises(VaultError, match=r"Another process is changing .*delete .*keys\.new"):
        vault.rotate()
    assert draft.exists()
    assert len(Vault.at(tmp_path).key_ids) == 1


def test_a_vault_without_a_file_rotates_in_memory() -> None:
    vault = Vault()
    old = vault.seal(PURPOSE, HERE, "x")
    vault.rotate()
    assert (vault.open(PURPOSE, HERE, old), len(vault.key_ids)) == ("x", 2)


def test_purposes_have_different_keys(vault: Vault) -> None:
    keys = {vault.derive(purpose) for purpose in ("pat-pepper", "session-pepper", "csrf")}
    assert len(keys) == 3
    assert {len(key) for key in keys} == {32}


def test_a_lost_key_file_names_the_file_and_what_to_do(tmp_path: Path) -> None:
    sealed = Vault.at(tmp_path / "a").seal(PURPOSE, HERE, "canary-key")
    with pytest.raises(VaultError, match=r"sealed with key [0-9a-f]{8}, but .*b/keys holds only .*Restore") as caught:
        Vault.at(tmp_path / "b").open(PURPOSE, HERE, sealed)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o620, 0o666, 0o602])
def test_a_key_file_open_to_others_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    Vault.at(tmp_path)
    (tmp_path / KEY_FILE).chmod(mode)
    with pytest.raises(VaultError, match=rf"{mode:04o}.*Run: chmod 600 .*/keys"):
        Vault.at(tmp_path)


def test_a_mounted_secret_for_the_group_is_accepted(tmp_path: Path) -> None:
    Vault.at(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o440)
    assert Vault.at(tmp_path).key_ids


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"nonsense\n", b"12345678 AAAA\n", b"12345678 " + base64.b64encode(bytes(32)), b"\xff\xfe"],
)
def test_a_damaged_key_file_is_told_and_kept(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / KEY_FILE
    file.touch(mode=0o600)
    file.write_bytes(content)
    with pytest.raises(VaultError, match="key file") as caught:
        Vault(file)
    assert "AAAA" not in str(caught.value)
    assert file.read_bytes() == content


def test_a_mistyped_key_is_noticed(tmp_path: Path) -> None:
    Vault.at(tmp_path)
    file = tmp_path / KEY_FILE
    key_id, key = file.read_text().split()
    file.write_text(f"{key_id} {base64.b64encode(base64.b64decode(key)[::-1]).decode()}\n")
    with pytest.raises(VaultError, match="Line 1 of the key file"):
        Vault(file)


def test_a_place_that_cannot_hold_a_key_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VaultError, match=r"file/keys cannot be made: .*HOMEPORT_DATA_DIR"):
        Vault.at(tmp_path / "file")


def test_processes_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from homeport.kit.vault import Vault; print(Vault.at(pathlib.Path(sys.argv[1])).key_ids)"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path)]
    started = [
        subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=os.environ)  # noqa: S603 (our own program)
        for _ in range(4)
    ]
    answers = {(process.communicate()[0], process.returncode) for process in started}
    assert answers == {(f"{Vault.at(tmp_path).key_ids}\n", 0)}
