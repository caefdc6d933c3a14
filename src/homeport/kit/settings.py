"""What the operator decides before start: read once, typed, frozen.

What an administrator changes while it runs (models, features, tokens) is in the store, and so are some of these
settings, where the operator left the default (store/live.py).
Order of growing precedence: homeport.toml, HOMEPORT_* variables, AIGW_* variables, the command line.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)
from typing_extensions import override

from homeport.kit.addresses import Network, outside, parse_networks
from homeport.kit.network import check_no_proxy
from homeport.kit.proxy import proxy_of

if TYPE_CHECKING:
    from collections.abc import Mapping

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
LogContent = Literal["never", "header", "always"]
_ON, _OFF = {"true", "1", "yes", "on", "t", "y"}, {"false", "0", "no", "off", "f", "n"}

GATEWAY_PORT = 5052
"""The port of GitLab's AI Gateway image."""
DEFAULT_MODEL = "default"
"""What the model of the HOMEPORT_DEFAULT_… variables is called."""


def default_data_dir() -> Path:
    """`.homeport/` in a checkout, else where the platform keeps a user's data.

    A program that runs from a checkout finds that one's from everywhere, unless the platform's place is in use.
    """
    here = Path.cwd()
    if _is_checkout(here):
        return here / ".homeport"
    usual, ours = _usual_data_dir(), Path(__file__).parents[3]
    beside = ours / ".homeport"
    return beside if not usual.exists() and _is_checkout(ours) and beside.is_dir() else usual


def _is_checkout(folder: Path) -> bool:
    return (folder / "pyproject.toml").exists() and (folder / "src" / "homeport").is_dir()


def _usual_data_dir() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "homeport"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "homeport"


def _both(ours: str, theirs: str) -> AliasChoices:
    """A field that GitLab's AI Gateway knows under its own name; theirs wins."""
    return AliasChoices(f"AIGW_{theirs}", f"HOMEPORT_{ours}", ours.lower())


TOKEN_FILE = "token"  # noqa: S105 (a file's name)
"""In the data directory: the token of the command line."""


class EngineLimits(BaseModel):
    """What one model may take; what is not said stays as it is."""

    model_config = ConfigDict(frozen=True)

    concurrency: int | None = Field(None, ge=1)
    input_tokens: int | None = Field(None, ge=1)
    output_tokens: int | None = Field(None, ge=1)


class Settings(BaseSettings):
    """Every field is `HOMEPORT_` plus its name in capitals; the sentence under it is its documentation."""

    model_config = SettingsConfigDict(
        env_prefix="HOMEPORT_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        populate_by_name=True,
        toml_file=os.environ.get("HOMEPORT_CONFIG", "homeport.toml"),
    )

    data_dir: Path = Field(default_factory=default_data_dir)
    """Where the database, the keys and the logs live."""

    database_url: str = ""
    """`postgresql://user:password@host/name`; empty means SQLite in the data directory."""

    host: str = "127.0.0.1"
    """Address that `up` and `serve` listen on."""

    port: int = Field(5050, ge=0, le=65535)
    """Port that `up` and `serve` listen on; 0 takes a free one."""

    gateway_host: str = Field("0.0.0.0", validation_alias=_both("GATEWAY_HOST", "FASTAPI__API_HOST"))  # noqa: S104 (the original's default; `gateway` refuses it without authentication)
    """Address that `gateway` listens on; also `AIGW_FASTAPI__API_HOST`."""

    gateway_port: int = Field(GATEWAY_PORT, ge=0, le=65535, validation_alias=_both("GATEWAY_PORT", "FASTAPI__API_PORT"))
    """Port that `gateway` listens on; also `AIGW_FASTAPI__API_PORT`."""

    metrics_host: str = Field("", validation_alias=_both("METRICS_HOST", "FASTAPI__METRICS_HOST"))
    """Address of the metrics page; unset: 127.0.0.1, for `gateway` 0.0.0.0; also `AIGW_FASTAPI__METRICS_HOST`."""

    metrics_port: int = Field(8082, ge=-1, le=65535, validation_alias=_both("METRICS_PORT", "FASTAPI__METRICS_PORT"))
    """Port of the metrics page; -1 switches it off, 0 takes a free one; also `AIGW_FASTAPI__METRICS_PORT`."""

    models_file: Path | None = None
    """TOML file with models, features and tokens for a gateway without a database."""

    custom_models: bool = Field(default=True, validation_alias=_both("CUSTOM_MODELS", "CUSTOM_MODELS__ENABLED"))
    """Take models from the bodies of GitLab's requests; also `AIGW_CUSTOM_MODELS__ENABLED`."""

    disable_streaming: bool = Field(
        default=False, validation_alias=_both("DISABLE_STREAMING", "CUSTOM_MODELS__DISABLE_STREAMING")
    )
    """Wait for the chat agent's whole answer instead of streaming; also `AIGW_CUSTOM_MODELS__DISABLE_STREAMING`."""

    trust_body_endpoints: bool | None = None
    """Call the endpoints that those bodies name; no: they must be registered here; unset: `gateway` does."""

    allowed_model_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins that bodies may name, comma-separated (`http://vllm.internal:8000`, `https://*.corp`); empty: any."""

    default_context_tokens: int = Field(0, ge=0)
    """Tokens that a model takes where neither its registration nor its server tells; 0: as its family's smallest."""

    model_engine_limits: dict[str, dict[str, EngineLimits]] = Field(
        default={}, validation_alias=_both("MODEL_ENGINE_LIMITS", "MODEL_ENGINE_LIMITS")
    )
    """Limits of models in bodies, as JSON: see the page on variables; also `AIGW_MODEL_ENGINE_LIMITS`."""

    model_timeout: float = Field(60.0, gt=0)
    """Seconds that one call of a model named in a body may take in all."""

    model_connect_s: float = Field(3.0, gt=0)
    """Seconds that connecting to a model may take, TLS included; a model whose own limit is another one keeps that."""

    model_first_token_s: float = Field(60.0, gt=0)
    """Seconds until an answer must begin; a model whose own limit is another one keeps that."""

    model_idle_s: float = Field(60.0, gt=0)
    """Seconds for which a stream may be silent; a model whose own limit is another one keeps that."""

    model_total_s: float = Field(900.0, gt=0)
    """Seconds that one answer may take in all; a model whose own limit is another one keeps that."""

    default_endpoint: str = ""
    """Base URL of a model for requests that name none, such as an editor's direct ones; for `gateway` alone."""

    default_identifier: str = ""
    """That model's name as GitLab's settings hold it: `custom_openai/served name`, `bedrock/…`, `azure/…`."""

    default_family: str = "general"
    """That model's family."""

    default_api_key: SecretStr = SecretStr("")
    """That model's API key."""

    docs_index: Path | None = None
    """Documentation that chat searches, as `homeport docs index` wrote it; unset: `docs.db` in the data directory."""

    prompts_dir: Path | None = None
    """Folder with wordings of your own (`chat/explain_code.toml`), read and checked at start."""

    url: str = ""
    """Where people reach the server: links and set-ups of editors begin with it, and the command line asks
    there. Unset: as the browser did, and the one running from the data directory."""

    token: str = ""
    """The token that the command line sends; empty means the one kept in the data directory."""

    gitlab_url: str = Field("", validation_alias=_both("GITLAB_URL", "GITLAB_URL"))
    """URL of the GitLab whose tokens are accepted, path included; unset: none is contacted; also `AIGW_GITLAB_URL`."""

    customer_portal_url: str = Field("", validation_alias=_both("CUSTOMER_PORTAL_URL", "CUSTOMER_PORTAL_URL"))
    """A second issuer of tokens; unset: none is contacted; also `AIGW_CUSTOMER_PORTAL_URL`."""

    service_name: str = Field(
        "gitlab-ai-gateway",
        min_length=1,
        validation_alias=AliasChoices(
            "AIGW_CLOUD_CONNECTOR_SERVICE_NAME",
            "CLOUD_CONNECTOR_SERVICE_NAME",
            "HOMEPORT_SERVICE_NAME",
            "service_name",
        ),
    )
    """Whom signed tokens must be made for, and who signs ours; also `AIGW_CLOUD_CONNECTOR_SERVICE_NAME`."""

    jwt_signing_key: SecretStr = Field(
        SecretStr(""), validation_alias=_both("JWT_SIGNING_KEY", "SELF_SIGNED_JWT__SIGNING_KEY")
    )
    """PEM of the RSA key that signs editors' tokens; also `AIGW_SELF_SIGNED_JWT__SIGNING_KEY`."""

    jwt_validation_key: SecretStr = Field(
        SecretStr(""), validation_alias=_both("JWT_VALIDATION_KEY", "SELF_SIGNED_JWT__VALIDATION_KEY")
    )
    """PEM of one more key whose editors' tokens are accepted; also `AIGW_SELF_SIGNED_JWT__VALIDATION_KEY`."""

    issuer_refresh_s: float = Field(600.0, ge=1)
    """Seconds after which issuers' keys are asked for again."""

    issuer_stale_s: float = Field(86_400.0, ge=0)
    """Seconds for which known keys serve while their issuer does not answer."""

    auth_bypass: bool = Field(default=False, validation_alias=_both("AUTH_BYPASS", "AUTH__BYPASS_EXTERNAL"))
    """Let everyone in with every right: for a closed test network only; also `AIGW_AUTH__BYPASS_EXTERNAL`."""

    auth_bypass_with_header: bool = Field(
        default=False, validation_alias=_both("AUTH_BYPASS_WITH_HEADER", "AUTH__BYPASS_EXTERNAL_WITH_HEADER")
    )
    """The same for requests with `Bypass-Auth: true`; also `AIGW_AUTH__BYPASS_EXTERNAL_WITH_HEADER`."""

    auth_bypass_signature: bool = Field(
        default=False, validation_alias=_both("AUTH_BYPASS_SIGNATURE", "AUTH__BYPASS_JWT_SIGNATURE")
    )
    """Believe signed tokens without looking at the signature; also `AIGW_AUTH__BYPASS_JWT_SIGNATURE`."""

    ca_file: Path | None = Field(
        default=None,
        validation_alias=AliasChoices("HOMEPORT_CA_FILE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "ca_file"),
    )
    """Certificate authorities to trust besides the system's; also `REQUESTS_CA_BUNDLE`, `SSL_CERT_FILE`."""

    proxy: str = ""
    """Proxy to models and to their credentials: `http://host:3128`, `https://user:env:VAR@host:3128`; unset: none."""

    no_proxy: str = ""
    """Who is reached without it, comma-separated: `.corp,10.0.0.0/8`; this machine always is."""

    sso_issuer: str = ""
    """Issuer of single sign-on, as the provider calls itself; it and those below win over the console."""

    sso_client_id: str = ""
    """What Homeport is called at that provider."""

    sso_client_secret: SecretStr = SecretStr("")
    """Its secret there, or where that is: `env:VARIABLE`, `file:/path`; unset: the one that the console stored."""

    sso_name: str = ""
    """What the button on the sign-in page calls the provider; unset: its host."""

    sso_scopes: str = ""
    """What the provider is asked for; unset: `openid profile email`."""

    sso_claim: str = ""
    """The claim that roles come from, also a path such as `realm_access.roles`; unset: `groups`."""

    sso_admins: str = ""
    """Values of that claim that make administrators, with semicolons between."""

    sso_auditors: str = ""
    """Values of that claim that make auditors, with semicolons between."""

    sso_others: str = ""
    """What becomes of everybody else: `user` or `refuse`; unset: `user`."""

    sso_create: str = ""
    """Whether somebody new gets an account: `on` or `off`; unset: `on`."""

    sso_provisioned: str = ""
    """How whom SCIM provisioned is known at sign-in: `off`, `sub`, `oid` (externalId) or `email` (userName)."""

    sso_domains: str = ""
    """Domains of e-mail addresses that are let in, with semicolons between; unset: all."""

    sso_passwords: str = ""
    """Whether passwords open the console too: `on` or `off` (once an administrator came by single sign-on)."""

    log_level: str = Field("INFO", validation_alias=_both("LOG_LEVEL", "LOGGING__LEVEL"))
    """DEBUG, INFO, WARNING or ERROR; also `AIGW_LOGGING__LEVEL`."""

    log_json: bool | None = Field(default=None, validation_alias=_both("LOG_JSON", "LOGGING__FORMAT_JSON"))
    """JSON lines instead of readable ones; unset: JSON unless a person watches; also `AIGW_LOGGING__FORMAT_JSON`."""

    log_file: Path | None = Field(default=None, validation_alias=_both("LOG_FILE", "LOGGING__TO_FILE"))
    """Append JSON log lines to this file as well; also `AIGW_LOGGING__TO_FILE`."""

    log_content: LogContent | None = None
    """Log prompts and answers: `never`, `header` (when GitLab asks), `always`; unset: as the security page says."""

    log_every_request: bool = Field(
        default=False, validation_alias=_both("LOG_EVERY_REQUEST", "LOGGING__ENABLE_REQUEST_LOGGING")
    )
    """`always`, where `HOMEPORT_LOG_CONTENT` says nothing; also `AIGW_LOGGING__ENABLE_REQUEST_LOGGING`."""

    llm_log: Path | None = None
    """The instance's log of what models were asked, in GitLab's form; unset: `llm.log` in the data directory."""

    request_log_days: float = Field(30, ge=0)
    """Days that requests are kept, to be looked at; 0 keeps none, and then there is no usage either."""

    request_log_rows: int = Field(20_000_000, ge=1000)
    """Requests that are kept at most; the oldest go first."""

    request_content_days: float = Field(7, ge=0)
    """Days that prompts and answers are kept where verbose logging was on."""

    request_content_mb: int = Field(500, ge=1)
    """Megabytes that they may take; the oldest go first."""

    usage_days: float = Field(400, ge=1)
    """Days for which sums of requests are kept."""

    audit_days: float = Field(0, ge=0)
    """Days that the audit is kept; 0 keeps it for good."""

    body_limit: int = Field(4 * 1024 * 1024, ge=1024, le=32 * 1024 * 1024)
    """Bytes that a request body may have."""

    body_s: float = Field(60.0, gt=0)
    """Seconds that a request body may take to arrive."""

    head_s: float = Field(10.0, gt=0)
    """Seconds from connecting, or from a request's first byte, until its head is complete."""

    keep_alive_s: float = Field(75.0, gt=0)
    """Seconds that an idle connection is kept open."""

    write_stall_s: float = Field(30.0, gt=0)
    """Seconds without progress after which a client that does not read is cut off."""

    drain_s: float = Field(10.0, ge=0)
    """Seconds that open requests may still take when Homeport stops."""

    connections: int = Field(5000, ge=1)
    """Connections that one process keeps open."""

    completion_prompt_tokens: int = Field(8192, ge=256)
    """Tokens that a completion prompt may have, however large the window: typing must not wait."""

    direct_connections: bool = False
    """Whether GitLab's editor extensions get tokens of their own, to complete code at `/v2/completions` for an hour."""

    supersede: bool = False
    """Whether a newer completion of one user in the same file ends the older one (409); not at `/v1/completions`."""

    otlp_endpoint: str = Field(
        "", validation_alias=AliasChoices("HOMEPORT_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "otlp_endpoint")
    )
    """Where traces go by OTLP/HTTP, such as `http://collector:4318`; unset: nowhere; also `OTEL_EXPORTER_…`."""

    otlp_headers: SecretStr = Field(
        SecretStr(""),
        validation_alias=AliasChoices("HOMEPORT_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS", "otlp_headers"),
    )
    """Headers for it, as `name=value,name=value`; also `OTEL_EXPORTER_OTLP_HEADERS`."""

    otlp_share: float = Field(1.0, ge=0, le=1)
    """Part of the requests that is traced; what a caller's own `traceparent` says wins."""

    otlp_content: bool = False
    """Whether traces hold prompts and answers too, where those are logged at all (`HOMEPORT_LOG_CONTENT`, verbose)."""

    responses_s: float = Field(3600.0, ge=0)
    """Seconds that an answer of `/v1/responses` is kept in memory, for its caller to go on from; 0 keeps none."""

    completion_context_share: float = Field(0.25, ge=0, le=0.9)
    """Part of the prompt for code that related files and snippets may take."""

    completion_suffix_share: float = Field(0.25, ge=0, le=0.9)
    """Part of the code in a prompt that may stand after the cursor; what one side leaves unused goes to the other."""

    refresh_s: float = Field(1.0, gt=0, le=60)
    """Seconds after which a change made by another process is seen."""

    denied_networks: Annotated[tuple[str, ...], NoDecode] = ()
    """More networks (CIDR) that no model endpoint may be in; link-local and metadata addresses never may."""

    allowed_networks: Annotated[tuple[str, ...], NoDecode] = ()
    """The only networks (CIDR) that model endpoints may be in, besides this machine; empty: any that is not denied."""

    embedded_threads: int = Field(0, ge=0)
    """Threads of the embedded model; 0 means one per core, at most four."""

    embedded_model: Path | None = None
    """A GGUF file to serve instead of the weights that the package carries."""

    @field_validator("log_content", mode="before")
    @classmethod
    def _switched(cls, value: object) -> object:
        """It may be written as a switch."""
        word = value if value is None else str(value).strip().lower()
        return "always" if word in _ON else "never" if word in _OFF else word

    @field_validator("denied_networks", "allowed_networks", "allowed_model_origins", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """A variable holds a list with commas."""
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @field_validator("proxy", "no_proxy")
    @classmethod
    def _proxied(cls, value: str, info: ValidationInfo) -> str:
        """A proxy is understood before anything is started."""
        if value:
            (proxy_of if info.field_name == "proxy" else check_no_proxy)(value)
        return value

    @field_validator("otlp_headers")
    @classmethod
    def _headers(cls, value: SecretStr) -> SecretStr:
        """Headers are understood before anything is started."""
        if value:
            from homeport.kit.extra_headers import listed  # noqa: PLC0415 (it loads what few need)

            listed(value.get_secret_value())
        return value

    @field_validator("denied_networks", "allowed_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Networks are understood before anything is started."""
        try:
            parse_networks(value)
        except ValueError as error:
            raise ValueError(f"{error}; write networks such as 10.0.0.0/8, with commas between them") from error
        return value

    @field_validator("ca_file")
    @classmethod
    def _is_there(cls, value: Path | None) -> Path | None:
        """Without it, every connection would fail later."""
        if value is not None and not value.exists():
            raise ValueError("there is no such file")
        return value

    @field_validator("log_level")
    @classmethod
    def _level(cls, value: str) -> str:
        """A level by its name, in whatever case, or by its number."""
        if not value.isdecimal() and value.upper() not in logging.getLevelNamesMapping():
            raise ValueError(f"write one of {', '.join(LEVELS)}")
        return value

    @field_validator("gitlab_url", "customer_portal_url", "otlp_endpoint")
    @classmethod
    def _issuer(cls, value: str) -> str:
        """An http(s) URL with nothing behind its path; the slash at its end is no part of it."""
        parts = urlsplit(value)
        odd = parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0
        more = parts.query or parts.fragment or "@" in parts.netloc or " " in value or not value.isprintable()
        if value and (odd or more):
            raise ValueError("write an http(s) URL such as http://gitlab.internal, with its path if it has one")
        return value.rstrip("/")

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line, then environment, then homeport.toml."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def llm_log_file(self) -> Path:
        """Where the instance logs what models were asked."""
        return self.llm_log or self.data_dir / "llm.log"

    @property
    def docs_file(self) -> Path:
        """Where the documentation index is, or would be."""
        return self.docs_index or self.data_dir / "docs.db"

    def content_logged(self, usual: LogContent) -> LogContent:
        """What is logged of prompts and answers; `usual` is what the role does when nobody said anything."""
        return self.log_content or ("always" if self.log_every_request else usual)

    @property
    def known_token(self) -> str:
        """The token that was set, else the one kept in the data directory, else none."""
        try:
            return self.token or (self.data_dir / TOKEN_FILE).read_text().strip()
        except OSError:
            return ""

    @property
    def closed_networks(self) -> tuple[Network, ...]:
        """Where no model endpoint may be: what is denied, and all that is outside of what is allowed."""
        allowed = parse_networks(self.allowed_networks)
        return (*parse_networks(self.denied_networks), *(outside(allowed) if allowed else ()))

    def sqlalchemy_url(self) -> str:
        """The database as SQLAlchemy names it."""
        if not self.database_url:
            return f"sqlite+aiosqlite:///{self.data_dir / 'homeport.db'}"
        scheme, _, rest = self.database_url.partition("://")
        if scheme in {"postgres", "postgresql"}:
            return f"postgresql+asyncpg://{rest}"
        return self.database_url


def load(**overrides: Any) -> Settings:  # noqa: ANN401 (whatever the fields take)
    """Read the settings; raises ValueError with one line per wrong one, or for a HOMEPORT_CONFIG that is not there."""
    file = os.environ.get("HOMEPORT_CONFIG", "")
    if file and not Path(file).is_file():
        raise SettingsError(f"HOMEPORT_CONFIG (environment) cannot be {file!r}: there is no such file")
    return Settings(**{name: value for name, value in overrides.items() if value is not None})


def sources(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Where each setting came from: a variable's name, homeport.toml, or default."""
    file = TomlConfigSettingsSource(type(settings))()
    found: dict[str, str] = {}
    for name, field in type(settings).model_fields.items():
        alias = field.validation_alias
        names = [str(n) for n in alias.choices] if isinstance(alias, AliasChoices) else [f"HOMEPORT_{name.upper()}"]
        variable = next((n for n in names if environ.get(n)), None)
        found[name] = variable or ("homeport.toml" if name in file else "default")
    return found
