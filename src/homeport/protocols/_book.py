"""The book of finished requests: one line in the log and one observation in the metrics for each.

Written in batches: what a line costs halves when the code that writes it is warm. The fields of GitLab's
protocols are those of its AI Gateway (gateway protocol, "Log lines"), so that what reads its logs reads ours.
`cpu_s` is not among them: one thread serves all requests in turns, and whose time it was cannot be said honestly.
"""

from __future__ import annotations

import asyncio
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from homeport.codetext.language import language_of
from homeport.domain.entries import EXAMINER, Entry, Offered, Phases, Report, Traits
from homeport.domain.errors import CallerError, NotAuthenticated, UpstreamRefused
from homeport.kit.journal import ESTIMATED, settled
from homeport.kit.logs import frame, moment
from homeport.kit.metrics import OTHER, REPORTED, Kind
from homeport.kit.tracing import FACT
from homeport.protocols._visit import tokens_noted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from homeport.domain.errors import HomeportError
    from homeport.domain.models import Caller
    from homeport.features import Feature
    from homeport.kit.journal import Facts
    from homeport.kit.metrics import Answers, Histogram, Metrics, Reports
    from homeport.kit.tracing import Trace
    from homeport.protocols import Reported
    from homeport.protocols._llm_log import LlmLog
    from homeport.protocols._spans import Tracing
    from homeport.protocols._visit import Visit
    from homeport.store.acceptance import Suggestion, Verdict

_PROGRAM = re.compile(rb"[A-Za-z][A-Za-z0-9._-]{0,39}")
BATCH_S = 0.05
FAILED = 400
FILTERED = "content_filter"
"""How an answer ended, or the fact of a request, that the model server's filter stopped."""
KINDS = 2_000
"""Kinds of requests that are kept at hand."""
TEXT = 256
"""Characters of a header that a line holds."""
FLAGS_TEXT = 2048
"""Characters of the list of flags that a line holds."""
AGENT, FLAGS = b"user-agent", b"x-gitlab-enabled-feature-flags"
OF_ALL = {AGENT: "user_agent"}
OF_GITLAB = {
    AGENT: "user_agent",
    b"host": "host",
    b"content-type": "content_type",
    b"x-gitlab-language-server-version": "gitlab_language_server_version",
    b"x-gitlab-instance-id": "gitlab_instance_id",
    b"x-gitlab-global-user-id": "gitlab_global_user_id",
    b"x-gitlab-host-name": "gitlab_host_name",
    b"x-gitlab-version": "gitlab_version",
    b"x-gitlab-saas-duo-pro-namespace-ids": "gitlab_saas_duo_pro_namespace_ids",
    b"x-gitlab-feature-enabled-by-namespace-ids": "gitlab_feature_enabled_by_namespace_ids",
    b"x-gitlab-feature-enablement-type": "gitlab_feature_enablement_type",
    b"x-gitlab-realm": "gitlab_realm",
    b"x-gitlab-is-team-member": "is_gitlab_team_member",
    b"x-gitlab-duo-seat-count": "gitlab_duo_seat_count",
    FLAGS: "enabled_feature_flags",
}
"""The field that each header fills whose value is the same in nearly all requests of one user."""
CATEGORIES = {"Chat": "duo_chat", "Merge requests": "code_review_workflow", "Security": "vulnerability_management"}
"""GitLab's categories for sections of features; others are called as the section is."""


class Book:
    """Collects finished requests; `write` takes the line of each."""

    def __init__(  # noqa: PLR0913 (everybody who is told)
        self,
        metrics: Metrics,
        write: Callable[[Facts], None],
        features: Mapping[str, Feature],
        keep: Callable[[Entry | Report], None] | None = None,
        llm_log: LlmLog | None = None,
        teams: Callable[[], Mapping[str, Sequence[str]]] = dict,
        *,
        tracing: Tracing | None = None,
    ) -> None:
        """`keep` takes what goes into the request log, where there is one; `teams` gives those of each person.

        `tracing` takes what a receiver of traces gets.
        """
        self.tracing = tracing
        self._metrics = metrics
        self._write = write
        self._keep = keep
        self._llm_log = llm_log
        self._teams = teams
        self._features = {key: (_category(each), each.scope) for key, each in features.items()}
        self._open: list[tuple[Visit, float, float]] = []
        self._series: dict[tuple[str, str, int], Histogram] = {}
        self._kinds: dict[tuple[str, str, str, str, bool], Answers] = {}
        self._reports: dict[tuple[str | None, str | None, str | None], Reports] = {}

    def enter(self, visit: Visit) -> None:
        """Take in a request that has ended; of its content nothing is kept any longer, unless it is to be logged."""
        visit.framing = None
        self._open.append((visit, time.perf_counter() - visit.started, time.time()))
        if len(self._open) == 1:
            asyncio.get_running_loop().call_later(BATCH_S, self.settle)

    def settle(self) -> None:
        """Write down everything that was entered."""
        entries, self._open = self._open, []
        for visit, took, at in entries:
            outcome = visit.facts.pop("outcome", None) or ("completed" if visit.status < FAILED else "rejected")
            asked_at, trace = settled(visit.facts, visit.started), visit.facts.pop(FACT, None)
            first_at = visit.facts.pop("first_at", None)  # where a page sent the answer
            context = visit.facts.pop("context", ())  # names of files have no place in a log line
            visit.first = first_at if visit.first is None else visit.first
            if visit.usage is not None:
                visit.facts.pop(ESTIMATED, None)
            elif "answer_tokens" in visit.facts:  # of an answer that was left before its end, or that a page sent
                visit.usage = tokens_noted(visit.facts)
            self._measure(visit, outcome, took)
            self._log(visit, outcome, at, took)
            asks = "feature" in visit.facts
            if (self._keep or self._llm_log or trace) and (asks or visit.protocol.kept):
                made = entry(visit, outcome, at, took, asked_at)
                self._tell(visit, made._replace(context=context) if context else made, trace, asks=asks)

    def _tell(self, visit: Visit, made: Entry, trace: Trace | None, *, asks: bool) -> None:
        """Hand a request to those who write down more than its line."""
        made = made._replace(traits=made.traits._replace(team=self.team(visit.caller, made.traits.who)))
        if self._keep is not None:
            self._keep(made)
        if asks and self._llm_log is not None:
            self._llm_log.tell(made, visit.path, stream=visit.streaming)
        if self.tracing is not None and trace is not None:
            self.tracing.tell(visit, made, trace)

    def trace(self, visit: Visit) -> None:
        """Have a request that asks a model traced, if traces are collected."""
        if self.tracing is not None and (trace := self.tracing.begin(visit)) is not None:
            visit.facts[FACT] = trace

    def team(self, caller: Caller | None, who: str) -> str:
        """The teams of a person, one a line; nobody else is in one."""
        return "\n".join(self._teams().get(who, ())) if caller is None or caller.kind == "personal" else ""

    def tell(self, suggestion: Suggestion, verdict: Verdict, caller: Caller) -> None:
        """Take in what an editor says of a suggestion: for the log of requests and the metrics."""
        self._metrics.suggested(suggestion.model, suggestion.feature, verdict.what)
        if self._keep is None:
            return
        traits = Traits(
            who=caller.subject,
            team=suggestion.team,
            feature=suggestion.feature,
            model=suggestion.model,
            platform=suggestion.platform,
            language=suggestion.language,
        )
        now = time.time()
        self._keep(Report(now, suggestion.request, traits, verdict.what, verdict.offered, verdict.accepted))

    def _measure(self, visit: Visit, outcome: str, took: float) -> None:
        key = visit.path, visit.scope["method"], visit.status // 100
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._metrics.requests(key[0], key[1], f"{key[2]}xx")
        series.observe(took)
        if outcome == "client_closed":
            self._metrics.abandoned(visit.phase)
        if visit.code is not None:
            name, editor_lang = visit.code
            self._metrics.spoken(visit.facts.get("lang") or OTHER, extension(name), language(editor_lang))
        if visit.reported:
            self._count_reports(visit.reported)
        if "model" in visit.facts:
            self._count_answer(visit, outcome)

    def _count_reports(self, reported: Sequence[Reported]) -> None:
        for each in reported:
            key = each.model_engine, each.model_name, each.lang
            totals = self._reports.get(key)
            if totals is None:
                totals = self._metrics.reports(key[0] or "", key[1] or "", language(key[2] or ""))
                if len(self._reports) < KINDS and self._metrics.models(key[1] or "", new=False) != OTHER:
                    self._reports[key] = totals
            totals.add(each.requests, each.accepts, each.errors)

    def _count_answer(self, visit: Visit, outcome: str) -> None:
        facts = visit.facts
        key = facts["platform"], facts["model"], facts["feature"], outcome, visit.streaming
        answers = self._kinds.get(key)
        if answers is None:
            answers = self._metrics.answers(Kind(*key[:3], *self._features.get(key[2], ("", "")), *key[3:]))
            if len(self._kinds) < KINDS:
                self._kinds[key] = answers
        answers.count += 1
        if visit.first is not None:
            answers.first.observe(visit.first - visit.started)
        if visit.usage is not None:
            answers.prompt_tokens += visit.usage.prompt_tokens
            answers.answer_tokens += visit.usage.completion_tokens
        if visit.code is not None and "prompt_length" in facts:
            answers.sizes.observe(facts["prompt_length"])
            if visit.usage is not None:
                answers.tokens.observe(visit.usage.prompt_tokens)
        took = facts.get("inference_duration_s")
        if took is not None:
            answers.took.observe(took)

    def _log(self, visit: Visit, outcome: str, at: float, took: float) -> None:
        scope, usage, caller, get = visit.scope, visit.usage, visit.caller, visit.headers.get
        client, port = scope.get("client") or ("", 0)
        method, version, gitlabs = scope["method"], scope["http_version"], visit.protocol.process_time
        # cut before they are remembered: anybody may send them
        sent = (value and value[:FLAGS_TEXT] for value in map(get, OF_GITLAB if gitlabs else OF_ALL))
        url, usual = _usual(gitlabs, scope.get("scheme", "http"), method, version, *sent)
        line = usual.copy()
        line["timestamp"] = moment(at)
        line["path"] = path = _shown(scope["path"][:TEXT])
        line["message"] = f'{client}:{port} - "{method} {path} HTTP/{version}" {visit.status}'
        line.update(visit.facts)
        line["outcome"] = outcome
        line["status_code"] = visit.status
        line["client_ip"] = client
        line["duration_s"] = int(took * 1e4) / 1e4  # what round() says, at a quarter of its cost
        if caller is not None and caller.subject:
            line["caller"] = caller.subject
            line["token"] = caller.token
            if caller.issuer:
                line["token_issuer"] = caller.issuer
        if visit.first is not None:
            line["first_chunk_duration_s"] = int((visit.first - visit.started) * 1e4) / 1e4
            line["finish"] = visit.finish
            if visit.length:  # an answer relayed as bytes was not read
                line["answer_length"] = visit.length
        if usage is not None:
            line["prompt_tokens"] = usage.prompt_tokens
            line["answer_tokens"] = usage.completion_tokens
        if gitlabs:
            line["url"] = url + path
            line["client_port"] = port
            line["request_arrived_at"] = moment(at - took)
            line["duration_request"] = _since(get(b"x-gitlab-rails-send-start"), at)
            self._add_gitlabs(line, visit)
        self._write(line)

    def _add_gitlabs(self, line: Facts, visit: Visit) -> None:
        """What GitLab's AI Gateway writes besides."""
        if visit.admitted:
            line["auth_duration_s"] = int((visit.admitted - visit.started) * 1e6) / 1e6
        if visit.answered:
            line["response_start_duration_s"] = int((visit.answered - visit.started) * 1e4) / 1e4
        feature = self._features.get(line.get("feature", ""))
        if feature is not None:
            line["meta.feature_category"], line["meta.unit_primitive"] = feature
        if "model" in line:
            line["model_engine"] = line["platform"]
            line["model_name"] = line["model"]
            line["model_output_length"] = visit.length
            if visit.stripped is not None:
                line["model_output_length_stripped"] = visit.stripped
            line["blocked"] = visit.finish == FILTERED or FILTERED in line
        if visit.code is not None:
            line["editor_lang"] = language(visit.code[1])
        if visit.error is not None:
            line.update(_of_the_error(visit.error) | line)


def entry(visit: Visit, outcome: str, at: float, took: float, asked_at: float) -> Entry:
    """What the request log keeps of a request."""
    caller, usage, get = visit.caller, visit.usage, visit.facts.get
    who, token = (caller.subject, caller.token) if caller is not None else (get("caller", ""), "")
    client, label = program(visit.headers.get(AGENT, b"")[:TEXT]), visit.protocol.label
    if client == EXAMINER and (caller is None or "admin" not in caller.scopes):
        client = ""  # nobody else leaves the usage by calling themselves so
    names = (get("feature", ""), get("model", ""), get("platform", ""), get("family", ""), get("lang") or "")
    failure = (visit.status, outcome, get("error_code", ""), get("error", ""))
    attempts = get("attempts")
    return Entry(
        at,
        visit.id,
        Traits(who, "", token, client, label, *names, *failure, visit.scope["method"], visit.path),
        _phases(visit, took, asked_at),
        usage.prompt_tokens if usage is not None else 0,
        usage.completion_tokens if usage is not None else 0,
        visit.received,
        visit.sent,
        orjson.dumps(attempts).decode() if attempts else "",
        _offered(visit.reported) if visit.reported else (),
        visit.heard.content() if visit.heard is not None else None,
        estimated=ESTIMATED in visit.facts,
    )


def _phases(visit: Visit, took: float, asked_at: float) -> Phases:
    facts, started = visit.facts, visit.started
    asked = asked_at - started if asked_at else 0.0
    return Phases(
        int(took * 1e6),
        int((visit.admitted - started) * 1e6) if visit.admitted else 0,
        int(facts.get("queue_duration_s", 0.0) * 1e6),
        int(asked * 1e6),
        int(facts.get("connect_duration_s", 0.0) * 1e6),
        int((visit.first - started) * 1e6) if visit.first is not None else 0,
        int((asked + facts["inference_duration_s"]) * 1e6) if asked_at else 0,
    )


def _offered(reported: Sequence[Reported]) -> tuple[Offered, ...]:
    """What may be believed of an editor's report."""
    believed = (each for each in reported if 0 <= each.accepts <= each.requests <= REPORTED)
    return tuple(
        Offered(each.model_name or "", language(each.lang or ""), each.requests, each.accepts) for each in believed
    )


@lru_cache(maxsize=1024)
def program(agent: bytes) -> str:
    """The name with which a client's description of itself begins, without its version."""
    found = _PROGRAM.match(agent)
    return found[0].decode() if found else ""


def _of_the_error(error: HomeportError) -> Facts:
    """How the original names what went wrong; the text is ours and holds nobody's content."""
    text = str(error)
    if isinstance(error, NotAuthenticated):
        return {"auth_error_details": text, "http_exception_details": text}
    if isinstance(error, CallerError):
        return {"http_exception_details": text}
    found: dict[str, Any] = {"exception_class": type(error).__name__, "exception_message": text}
    if isinstance(error, UpstreamRefused):
        found |= {"model_exception_message": text, "model_exception_status_code": error.upstream_status}
    return found


def _category(feature: Feature) -> str:
    return CATEGORIES.get(feature.section) or feature.section.lower().replace(" ", "_")


@lru_cache(maxsize=1024)
def _usual(
    gitlabs: bool,  # noqa: FBT001 (part of a key)
    scheme: str,
    method: str,
    version: str,
    *values: bytes | None,
) -> tuple[str, Facts]:
    """The beginning of the URL, and what all lines of one user have in common; nobody changes it."""
    line = frame(0.0, "info", "api.access", "") | {"method": method, "path": "", "http_version": version}
    names = OF_GITLAB if gitlabs else OF_ALL
    for (name, field), value in zip(names.items(), values, strict=True):
        if name == FLAGS:
            line[field] = _text((value or b"")[:FLAGS_TEXT]).split(",") if value else []
        elif value or name == AGENT:
            line[field] = _text((value or b"")[:TEXT])
    return f"{scheme}://{line.pop('host', '')}", line


def _text(value: bytes) -> str:
    """A header's value without what could end a line or reach for a terminal."""
    return _shown(value.decode("latin-1"))


def _shown(text: str) -> str:
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


def _since(sent: bytes | None, at: float) -> float:
    """Seconds since GitLab sent the request, as the original counts them: -1 when it does not say."""
    try:
        return int((at - float(sent[:32])) * 1e4) / 1e4 if sent else -1
    except (ValueError, OverflowError):
        return -1


@lru_cache(maxsize=512)
def language(word: str) -> str:
    """A language as an editor calls it, by our name for it; "other" for one that is not known."""
    found = language_of("", word[:TEXT]) if word else None
    return found.id if found else OTHER


@lru_cache(maxsize=2048)
def extension(file_name: str) -> str:
    """What a file's name ends with, if that is an extension of a language that is known."""
    _, dot, last = file_name[-TEXT:].rpartition(".")
    found = language_of(f"x.{last}") if dot else None
    return last.lower() if found and last.lower() in found.extensions else OTHER
