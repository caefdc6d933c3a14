"""Signatures: AWS's own examples, and AWS's own library as the second opinion."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from homeport.kit.upstream import Call
from homeport.providers._sigv4 import Keys, Scope, sign

KEYS = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SCOPE = Scope("us-east-1", "service")
NOW = 1_440_938_160.0
"""2015-08-30 12:36:00, the moment of AWS's examples."""


@pytest.mark.parametrize(
    ("method", "path", "signature"),
    [
        ("GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ("GET", "/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ],
)
def test_the_examples_of_aws(method: str, path: str, signature: str) -> None:
    headers = sign(KEYS, SCOPE, Call(f"https://example.amazonaws.com{path}", method=method), NOW)
    assert headers == {
        "X-Amz-Date": "20150830T123600Z",
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}",
    }


def theirs(call: Call, keys: Keys, names: str) -> str:
    """The signature that AWS's library computes for the same request."""
    request = AWSRequest(call.method, call.url, data=call.body)
    sent = {name.lower(): value for name, value in call.headers.items()} | {"host": "bedrock.example.com"}
    for name in names.split(";"):
        request.headers[name] = sent[name]
    request.context["timestamp"] = "20150830T123600Z"
    auth = SigV4Auth(Credentials(keys.access, keys.secret, keys.token or None), SCOPE.service, SCOPE.region)
    return auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)


segments = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=1, max_size=30)


@given(
    segment=segments,
    query=st.lists(st.tuples(st.sampled_from(["a", "a-b", "A", "b", "ä"]), segments), max_size=4),
    body=st.binary(max_size=50),
    token=st.sampled_from(["", "tok/en+="]),
    kind=st.sampled_from(["application/json", "  a   b  "]),
)
def test_the_same_as_aws_s_own_library(
    segment: str, query: list[tuple[str, str]], body: bytes, token: str, kind: str
) -> None:
    asked = f"?{urlencode(query, quote_via=quote)}" if query else ""
    url = f"https://bedrock.example.com/model/{quote(segment, safe='')}/converse{asked}"
    keys = KEYS._replace(token=token)
    call = Call(url, {"Content-Type": kind, "Accept-Encoding": "identity"}, "POST", body)
    headers = sign(keys, SCOPE, call, NOW)
    assert headers["Accept-Encoding"] == "identity"
    _, names, signature = headers["Authorization"].split(", ")
    names = names.removeprefix("SignedHeaders=")
    assert "content-type" in names
    assert "accept-encoding" not in names
    assert signature == f"Signature={theirs(call._replace(headers=headers), keys, names)}"
