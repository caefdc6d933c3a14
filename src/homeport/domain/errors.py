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

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from homeport.domain.models import Caller


class HomeportError(Exception):
    """What went wrong (`saw`) and what to do about it (`fix`)."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    mend: ClassVar[str] = "Look for the correlation id in Homeport's log and report what stands there."
    """What to do about any error of this code; `fix` says it for one of them."""
    gitlab: ClassVar[str] = "A1004"
    """The code that GitLab's chat shows for it: an error line is A1004, what comes ahead of the stream A1001."""

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
    mend = "Mend the request as the sentence says."
    gitlab = "A1001"


class BadRequest(CallerError):
    """The body is not what the protocol asks for."""


class NotAuthenticated(CallerError):
    """No credential, or one that is wrong, expired or revoked."""

    status = 401
    code = "not_authenticated"
    mend = (
        "Send `Authorization: Bearer TOKEN` with a token that works: `homeport tokens create`. For "
        "GitLab's own: the check of issuers in `homeport doctor`."
    )


class NotAllowed(CallerError):
    """We know who calls; they may not do this."""

    status = 403
    code = "not_allowed"
    mend = (
        "Make a token with the scope that the sentence names; for GitLab's users, assign a seat and "
        "the feature's unit primitive."
    )
    gitlab = "M3006"
    caller: Caller | None = None
    """Who it was, where that is not known otherwise."""


class Unknown(CallerError):
    """There is no such path, model or feature, or the caller may not know of it."""

    status = 404
    code = "not_found"
    mend = "Compare the path with the list of endpoints, and the name with `homeport models list`."


class WrongMethod(CallerError):
    """The path exists; the method does not."""

    status = 405
    code = "method_not_allowed"
    mend = "Use the method that the header `Allow` names."

    def __init__(self, saw: str, fix: str = "", *, spoken: str = "") -> None:
        super().__init__(saw, fix)
        self.spoken = spoken
        """What is, for `Allow`."""


class InUse(CallerError):
    """It cannot be removed while something else depends on it."""

    status = 409
    code = "in_use"
    mend = "Assign another model first, or remove it with `--force`."


class Superseded(CallerError):
    """The same editor asked for a newer completion in the same file."""

    status = 409
    code = "superseded"
    mend = "Nothing: the newer completion is on its way. `HOMEPORT_SUPERSEDE=false` switches this off."


class Outdated(CallerError):
    """The change was meant for a state that is no more: something else changed in between."""

    status = 409
    code = "outdated"
    mend = "Read the present state and make the change again."


class Unconfirmed(CallerError):
    """The change would do more than its words say, and nobody said that this is meant."""

    status = 409
    code = "unconfirmed"
    mend = "Make the change again with `sure` (the API) or `--yes` (the command) if that is what you want."


class TooSlow(CallerError):
    """The caller took too long to send the request."""

    status = 408
    code = "request_timeout"
    mend = "Send the request at once; `HOMEPORT_HEAD_S` and `HOMEPORT_BODY_S` are the limits."


class TooLarge(CallerError):
    """The body is larger than the limit."""

    status = 413
    code = "body_too_large"
    mend = "Send less context, or raise `HOMEPORT_BODY_LIMIT`."


class WrongMediaType(CallerError):
    """The body is compressed or not JSON."""

    status = 415
    code = "unsupported_media_type"
    mend = "Send plain JSON without a `Content-Encoding`."


class TooMany(CallerError):
    """The caller asked more often than its limit allows."""

    status = 429
    code = "too_many_requests"
    mend = "Wait for as long as `Retry-After` says, or ask an administrator for a higher limit."


class SetupError(HomeportError):
    """The administrator has something left to decide."""

    status = 409
    code = "not_set_up"
    mend = "An administrator finishes the set-up; `homeport doctor` names what is missing."
    gitlab = "A1004"


class FeatureUnassigned(SetupError):
    """No model serves this feature yet."""

    code = "feature_unassigned"
    mend = "`homeport features set FEATURE MODEL`"


class FeatureDisabled(SetupError):
    """An administrator switched this feature off."""

    code = "feature_disabled"
    mend = "`homeport features set FEATURE MODEL`, if it should be on."


class ModelNotAccepted(SetupError):
    """The request carries a model that this gateway may not or cannot call."""

    code = "model_not_accepted"
    mend = "Set `AIGW_CUSTOM_MODELS__ENABLED=true`, or correct the model in GitLab."


class BadConfiguration(SetupError):
    """A file that the operator wrote cannot be used; the text names the place."""

    code = "bad_configuration"
    mend = "Mend the file at the place that the sentence names."


class RequestLoop(SetupError):
    """The request came from this Homeport itself: a model's endpoint leads back to it."""

    status = 508
    code = "request_loop"
    mend = "Give the model the address of its own server: `homeport models edit NAME --endpoint URL`."


class UpstreamError(HomeportError):
    """The model server did not do its part."""

    status = 502
    code = "upstream_error"
    mend = "`homeport models test NAME` says which hop is broken."


class UpstreamUnreachable(UpstreamError):
    """Nobody answers at the model's address."""

    code = "upstream_unreachable"
    mend = "Start the model server, or mend the endpoint; `homeport models test NAME` says why it cannot be reached."


class UpstreamTimeout(UpstreamError):
    """The model server answers too late."""

    status = 504
    code = "upstream_timeout"
    mend = (
        "Look at the model server's queue, or raise the model's `first_token_s` or `total_s`; keep "
        "them below GitLab's own limit of 60 s."
    )


class UpstreamRefused(UpstreamError):
    """The model server answered with an HTTP error."""

    code = "upstream_refused"
    mend = "`homeport models test NAME`: the key, the identifier, the path, then the model server's own log."

    def __init__(self, saw: str, fix: str = "", *, upstream_status: int, retry_after_s: int | None = None) -> None:
        super().__init__(saw, fix, retry_after_s=retry_after_s)
        self.upstream_status = upstream_status


class UpstreamOverloaded(UpstreamRefused):
    """The model server asked us to come back later."""

    status = 503
    code = "upstream_overloaded"
    mend = "Try again in a moment; add a replica or a fallback if it lasts."


class UpstreamRejected(UpstreamRefused):
    """The model server found the request itself wrong."""

    status = 400
    code = "upstream_rejected"
    mend = "Check the model's family and the options of the request."


class PromptTooLong(UpstreamRejected):
    """The prompt and the answer do not fit the model's context window."""

    code = "prompt_too_long"
    mend = "Send less, or set the model's `context_tokens` to what its server was started with."
    gitlab = "A1005"


class UpstreamMalformed(UpstreamError):
    """The model server's answer is not what its protocol says."""

    code = "upstream_malformed"
    mend = "See that the endpoint is the model server's own and that nothing in between rewrites answers."


class ToolNotAvailable(UpstreamError):
    """The model insists on a tool that it was not offered."""

    code = "tool_not_available"
    mend = "Ask again, or choose a model that follows instructions better."
    gitlab = "G3001"


class UpstreamTruncated(UpstreamError):
    """The model server's answer stopped before its end."""

    code = "upstream_truncated"
    mend = "Look into the model server's log: it crashed, was restarted, or a proxy cut the connection."


class Unavailable(HomeportError):
    """Homeport itself cannot serve this right now."""

    status = 503
    code = "unavailable"
    mend = "Try again in a moment; `homeport doctor` says what is missing."


class AuthUnavailable(Unavailable):
    """A credential cannot be checked while the database is away."""

    code = "auth_unavailable"
    mend = "Mend the database; known tokens go on working."
    gitlab = "A1001"


class StoreUnavailable(Unavailable):
    """The database does not do what we need of it."""

    code = "db_unavailable"
    mend = "`homeport doctor` looks at the database."


class StoreBusy(StoreUnavailable):
    """The database is locked, or all connections to it are taken."""

    code = "db_busy"
    mend = "Try again; end whatever holds a lock or takes all connections."


class StoreReadOnly(StoreUnavailable):
    """The database may not be written."""

    code = "db_read_only"
    mend = "Mount the disk writable, or give Homeport's user the right to write."


class StoreFull(StoreUnavailable):
    """The database has no space left."""

    code = "db_full"
    mend = "Free some space on the database's disk."


class StoreUnreachable(StoreUnavailable):
    """Nobody answers at the database's address, or it does not let us in."""

    code = "db_unreachable"
    mend = "Start the database, or mend `HOMEPORT_DATABASE_URL`."


class StoreSchema(StoreUnavailable):
    """The database's tables are missing, or older or newer than this program."""

    code = "db_schema"
    mend = "`homeport db upgrade`, with the version of Homeport that runs."
