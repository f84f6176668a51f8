"""One request to a model, from its start to the event that is published."""

from __future__ import annotations

import contextvars
import json
import os
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any, Dict, Iterator, Optional

from ._publisher import Publisher, log, plain

# Fields that a scope, `wrap` and a single call may set; the names are those of the event.
SCOPE_FIELDS = frozenset(
    "request_id session_id tenant_id tenant_tier user_id_hash service environment version feature prompt_name "
    "prompt_version prompt_variant prompt_environment provider model output_schema expected retrieval tools "
    "user_rating user_rating_min user_rating_max task_completed estimated_cost_usd cache_hit trace_context".split()
)

_scope: "contextvars.ContextVar[Dict[str, Any]]" = contextvars.ContextVar("evalworker_scope", default={})
_last: "contextvars.ContextVar[Optional[str]]" = contextvars.ContextVar("evalworker_last_request", default=None)
_current: "contextvars.ContextVar[Optional[Call]]" = contextvars.ContextVar("evalworker_call", default=None)

_lock = threading.Lock()
_default: Optional[Publisher] = None
_base: Dict[str, Any] = {}


def configure(publisher: Optional[Publisher] = None, **fields: Any) -> Publisher:
    """Sets the publisher of the process and fields of all its events, such as `service`,
    `environment` and `version`, which otherwise come from DD_SERVICE, DD_ENV and DD_VERSION."""
    global _default, _base
    check_fields(fields)
    with _lock:
        if publisher is not None:
            _default = publisher
        elif _default is None:
            _default = Publisher()
        _base = {**_base, **fields}
        return _default


def default_publisher() -> Publisher:
    """Returns the publisher of the process, and makes it with the first call."""
    global _default
    if _default is not None:  # without the lock, which a forked child may find taken for ever
        return _default
    with _lock:
        if _default is None:
            _default = Publisher()
        return _default


def check_fields(fields: Dict[str, Any]) -> None:
    """Raises TypeError for a name that is no field, when the application starts and not in a request."""
    unknown = sorted(set(fields) - SCOPE_FIELDS)
    if unknown:
        raise TypeError(f"evalworker: {unknown[0]!r} is no field; the fields are {', '.join(sorted(SCOPE_FIELDS))}")


def known_fields(fields: Dict[str, Any]) -> Dict[str, Any]:
    """Returns the fields of a single request without those that are none, which it logs: a
    mistake there must not fail the request."""
    unknown = sorted(set(fields) - SCOPE_FIELDS)
    if unknown:
        log.warning("evalworker: %r is no field and is left out", unknown[0])
    return {name: value for name, value in fields.items() if name in SCOPE_FIELDS}


@contextmanager
def making(call: "Call") -> Iterator[None]:
    """Marks a request as the one that the library works on, and publishes it when that raises."""
    token = _current.set(call)
    try:
        yield
    except BaseException as error:
        call.finish(error)
        raise
    finally:
        _current.reset(token)


@contextmanager
def scope(**fields: Any) -> Iterator[None]:
    """Sets fields of all requests inside: `with evalworker.scope(session_id=sid, feature="search"):`.

    Scopes nest, and belong to the thread or asyncio task that entered them and to tasks
    that are started inside."""
    check_fields(fields)
    token = _scope.set({**_scope.get(), **fields})
    try:
        yield
    finally:
        _scope.reset(token)


def last_request_id() -> Optional[str]:
    """Returns the id of the last request that this thread or task began; feedback needs it."""
    return _last.get()


def feedback(request_id: str, rating: Any = None, *, comment: str = "", max: Optional[float] = None, **fields: Any) -> bool:
    """Publishes what a user thought of an answer: "up", "down", or a number with its `max`.

    Returns False when the event was dropped."""
    event: Dict[str, Any] = {"event": "llm_user_feedback", "request_id": request_id, **_identity()}
    event.update({k: v for k, v in _scope.get().items() if k in ("session_id", "tenant_id", "user_id_hash", "environment", "service")})
    event.update(fields)
    event["request_id"] = request_id
    if rating is not None:
        event["user_rating"] = rating
    if max is not None:
        event["user_rating_max"] = max
    if comment:
        event["comment"] = comment
    return _publish(event)


def _publish(event: Dict[str, Any]) -> bool:
    """Publishes an event. It never raises, even when the address of the sidecar is no URL."""
    try:
        return default_publisher().publish(event)
    except Exception:
        log.warning("evalworker: a request is not published", exc_info=True)
        return False


def _identity() -> Dict[str, Any]:
    env = os.environ.get
    found = {"service": env("DD_SERVICE"), "environment": env("DD_ENV"), "version": env("DD_VERSION")}
    return {"occurred_at": _now(), **{k: v for k, v in found.items() if v}, **_base}


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()


class Call:
    """A request that is under way. `finish` publishes it, once."""

    def __init__(self, fields: Dict[str, Any], defaults: Optional[Dict[str, Any]] = None) -> None:
        # What is nearest to the request counts: the process, then the client, the scope, the request.
        self.event: Dict[str, Any] = {"event": "llm_request_completed", **_identity(), **(defaults or {}), **_scope.get(), **fields}
        self.event.setdefault("request_id", "req_" + uuid.uuid4().hex)
        self.event.setdefault("trace_context", trace_context())
        self.retries: Optional[int] = None
        self._began = time.perf_counter()
        self._done = False
        _last.set(self.event["request_id"])

    @property
    def request_id(self) -> str:
        return self.event["request_id"]

    @property
    def done(self) -> bool:
        return self._done

    def __setattr__(self, name: str, value: Any) -> None:
        # call.output = ... sets a field of the event: what observe() is used for.
        if name in _EVENT_FIELDS:
            self.event[name] = value
        else:
            super().__setattr__(name, value)

    def first_token(self) -> None:
        self.event.setdefault("first_token_latency_ms", self._elapsed())

    def _elapsed(self) -> float:
        return round((time.perf_counter() - self._began) * 1000, 3)

    def finish(self, error: Optional[BaseException] = None) -> None:
        if self._done:
            return
        self._done = True
        event = self.event
        event.setdefault("llm_latency_ms", self._elapsed())
        event["occurred_at"] = _now()
        if self.retries is not None:
            event.setdefault("retry_count", self.retries)
        if error is not None:
            event["status"], event["error_type"] = "error", _error_type(error)
        event.setdefault("status", "success")
        _publish({k: v for k, v in event.items() if v is not None and v != {}})


_EVENT_FIELDS = SCOPE_FIELDS | frozenset(
    "input output status error_type finish_reason retry_count streaming input_tokens output_tokens total_tokens "
    "llm_latency_ms first_token_latency_ms tool_calls".split()
) - {"request_id"}


def _error_type(error: BaseException) -> str:
    name = type(error).__name__
    if name in ("CancelledError", "GeneratorExit", "KeyboardInterrupt"):
        return "cancelled"
    if "timeout" in name.lower():
        return "timeout"
    return name


def snapshot(value: Any) -> Any:
    """Returns a copy of what an application may change after the call, such as its list of messages."""
    try:
        return json.loads(json.dumps(value, default=plain))
    except Exception:
        return plain(value)


def trace_context() -> Dict[str, str]:
    """Returns the propagation headers of the active span of Datadog's or OpenTelemetry's
    tracer, when one of them is loaded; else nothing."""
    headers: Dict[str, str] = {}
    try:
        if "ddtrace" in sys.modules:
            from ddtrace import tracer  # type: ignore
            from ddtrace.propagation.http import HTTPPropagator  # type: ignore

            context = tracer.current_trace_context()
            if context is not None:
                HTTPPropagator.inject(context, headers)
        if not headers and "opentelemetry" in sys.modules:
            from opentelemetry import propagate  # type: ignore

            propagate.inject(headers)
    except Exception:  # a tracer that is half set up must not reach the request
        return {}
    return {k: v for k, v in headers.items() if isinstance(v, str)}


@contextmanager
def observe(**fields: Any) -> Iterator[Call]:
    """Publishes a request that no wrapper sees:

    with evalworker.observe(prompt_name="triage", input=question) as call:
        call.output = my_model(question)
    """
    unknown = sorted(set(fields) - _EVENT_FIELDS - {"request_id"})
    if unknown:
        raise TypeError(f"evalworker: {unknown[0]!r} is no field of an event")
    call = Call({k: snapshot(v) if k == "input" else v for k, v in fields.items()})
    try:
        yield call
    except BaseException as error:
        call.finish(error)
        raise
    call.finish()
