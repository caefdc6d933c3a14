"""What a key is bound to: scheme, host and port."""

from __future__ import annotations

import pytest

from homeport.domain.models import origin_of


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://GPU1/v1", "http://gpu1:80"),
        ("https://gpu1/v1", "https://gpu1:443"),
        ("http://[::1]:8000/v1", "http://[::1]:8000"),
        ("https://[FE80::1]/v1", "https://[fe80::1]:443"),
        ("ftp://gpu1", ""),
        ("http://[::1", ""),
        ("", ""),
    ],
)
def test_an_origin_can_be_written_into_an_address(url: str, origin: str) -> None:
    assert origin_of(url) == origin
