"""Everything that can go wrong, as one tree.

HomeportError                     knows its status, its stable code and what to do about it
├── CallerError                   the request cannot be served as it was made
│   ├── BadRequest 400            ├── NotAuthenticated 401    ├── NotAllowed 403
│   ├── Unknown 404               ├── WrongMethod 405         ├── TooSlow 408
│   ├── InUse 409                 ├── Superseded 409        ├── Outdated 409
│   ├── TooLarge 413              ├── WrongMediaType 415      └── TooMany 429
├── SetupError 409                the administrator has something left to decide
│   ├── FeatureUnassigned         ├── FeatureDisabled
│   ├── ModelNotAccepted          a request carries a model that this gateway does not call
│   ├── BadConfiguration          a file that the operator wrote is wrong
│   └── RequestLoop 508           a model's endpoint leads back to Homeport
├── UpstreamError 502             the model server did not do its part
│   ├── UpstreamUnreachable       nobody answers at the address
│   ├── UpstreamTimeout 504       it answers too late
│   ├── UpstreamRefused           it answered with an HTTP error
│   │   ├── UpstreamOverloaded 503    429 or 503: come back later
│   │   └── UpstreamRejected 400      it found the request itself wrong
│   │       └── PromptTooLong         it and the answer do not fit the model's window
│   ├── UpstreamMalformed         its answer is not what the protocol says
│   ├── ToolNotAvailable          its answer asks for a tool that it was not offered
│   └── UpstreamTruncated         its answer stopped before its end
└── Unavailable 503               Homeport itself cannot, right now
    ├── AuthUnavailable           a credential cannot be checked while the database is away
    └── StoreUnavailable          the database does not do what we need of it
        ├── StoreBusy             it is locked, or all connections are taken
        ├── StoreReadOnly         it may not be written
        ├── StoreFull             it has no space left
        ├── StoreUnreachable      nobody answers, or not us
        └── StoreSchema           its tables are missing, older or newer than this program

The text of an error is written for the person who reads it and is safe to show:
it never holds a key, a prompt or an upstream's own words.
"""

from __future__ import annotations

from typing import ClassVar


class HomeportError(Exception):
    """What went wrong (`saw`) and what to do about it (`fix`)."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(self, saw: str, fix: str = "", *, param: str | None = None, retry_after_s: int | None = None) -> None:
        super().__init__(f"{saw} {fix}".strip())
        self.saw = saw
        self.fix = fix
        self.param = param
        self.retry_after_s = retry_after_s


class CallerError(HomeportError):
    """The request cannot be served as it was made; the caller can mend it."""

    status = 400
    code = "bad_request"


class BadRequest(CallerError):
    """The body is not what the protocol asks for."""


class NotAuthenticated(CallerError):
    """No credential, or one that is wrong, expired or revoked."""

    status = 401
    code = "not_authenticated"


class NotAllowed(CallerError):
    """We know who calls; they may not do this."""

    status = 403
    code = "not_allowed"


class Unknown(CallerError):
    """There is no such path, model or feature, or the caller may not know of it."""

    status = 404
    code = "not_found"


class WrongMethod(CallerError):
    """The path exists; the method does not."""

    status = 405
    code = "method_not_allowed"


class InUse(CallerError):
    """It cannot be removed while something else depends on it."""

    status = 409
    code = "in_use"


class Superseded(CallerError):
    """The same editor asked for a newer completion in the same file."""

    status = 409
    code = "superseded"


class Outdated(CallerError):
    """The change was meant for a state that is no more: something else changed in between."""

    status = 409
    code = "outdated"


class TooSlow(CallerError):
    """The caller took too long to send the request."""

    status = 408
    code = "request_timeout"


class TooLarge(CallerError):
    """The body is larger than the limit."""

    status = 413
    code = "body_too_large"


class WrongMediaType(CallerError):
    """The body is compressed or not JSON."""

    status = 415
    code = "unsupported_media_type"


class TooMany(CallerError):
    """The caller asked more often than its limit allows."""

    status = 429
    code = "too_many_requests"


class SetupError(HomeportError):
    """The administrator has something left to decide."""

    status = 409
    code = "not_set_up"


class FeatureUnassigned(SetupError):
    """No model serves this feature yet."""

    code = "feature_unassigned"


class FeatureDisabled(SetupError):
    """An administrator switched this feature off."""

    code = "feature_disabled"


class ModelNotAccepted(SetupError):
    """The request carries a model that this gateway may not or cannot call."""

    code = "model_not_accepted"


class BadConfiguration(SetupError):
    """A file that the operator wrote cannot be used; the text names the place."""

    code = "bad_configuration"


class RequestLoop(SetupError):
    """The request came from this Homeport itself: a model's endpoint leads back to it."""

    status = 508
    code = "request_loop"


class UpstreamError(HomeportError):
    """The model server did not do its part."""

    status = 502
    code = "upstream_error"


class UpstreamUnreachable(UpstreamError):
    """Nobody answers at the model's address."""

    code = "upstream_unreachable"


class UpstreamTimeout(UpstreamError):
    """The model server answers too late."""

    status = 504
    code = "upstream_timeout"


class UpstreamRefused(UpstreamError):
    """The model server answered with an HTTP error."""

    code = "upstream_refused"

    def __init__(self, saw: str, fix: str = "", *, upstream_status: int, retry_after_s: int | None = None) -> None:
        super().__init__(saw, fix, retry_after_s=retry_after_s)
        self.upstream_status = upstream_status


class UpstreamOverloaded(UpstreamRefused):
    """The model server asked us to come back later."""

    status = 503
    code = "upstream_overloaded"


class UpstreamRejected(UpstreamRefused):
    """The model server found the request itself wrong."""

    status = 400
    code = "upstream_rejected"


class PromptTooLong(UpstreamRejected):
    """The prompt and the answer do not fit the model's context window."""

    code = "prompt_too_long"


class UpstreamMalformed(UpstreamError):
    """The model server's answer is not what its protocol says."""

    code = "upstream_malformed"


class ToolNotAvailable(UpstreamError):
    """The model insists on a tool that it was not offered."""

    code = "tool_not_available"


class UpstreamTruncated(UpstreamError):
    """The model server's answer stopped before its end."""

    code = "upstream_truncated"


class Unavailable(HomeportError):
    """Homeport itself cannot serve this right now."""

    status = 503
    code = "unavailable"


class AuthUnavailable(Unavailable):
    """A credential cannot be checked while the database is away."""

    code = "auth_unavailable"


class StoreUnavailable(Unavailable):
    """The database does not do what we need of it."""

    code = "db_unavailable"


class StoreBusy(StoreUnavailable):
    """The database is locked, or all connections to it are taken."""

    code = "db_busy"


class StoreReadOnly(StoreUnavailable):
    """The database may not be written."""

    code = "db_read_only"


class StoreFull(StoreUnavailable):
    """The database has no space left."""

    code = "db_full"


class StoreUnreachable(StoreUnavailable):
    """Nobody answers at the database's address, or it does not let us in."""

    code = "db_unreachable"


class StoreSchema(StoreUnavailable):
    """The database's tables are missing, or older or newer than this program."""

    code = "db_schema"
