"""One request to a model, from its start to the event that is published."""

from __future__ import annotations

import contextvars
import os
import re
import sys
import threading
import time
import uuid
from collections import OrderedDict
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any, Dict, FrozenSet, Iterator, Optional

from ._event import CALL_FIELDS, SCOPE_FIELDS, Prepare, check_fields, event_fields, preparing, without_content
from ._log import describe, did_you_mean, limited
from ._publisher import Publisher
from ._values import TooLarge, copy

_scope: "contextvars.ContextVar[Dict[str, Any]]" = contextvars.ContextVar("evalworker_scope", default={})
_last: "contextvars.ContextVar[Optional[str]]" = contextvars.ContextVar("evalworker_last_request", default=None)
_making: "contextvars.ContextVar[Optional[Call]]" = contextvars.ContextVar("evalworker_making", default=None)

_lock = threading.RLock()
_default: Optional[Publisher] = None
_base: Dict[str, Any] = {}

_FEEDBACK_REPEATS = ("prompt_name", "prompt_version", "feature", "session_id", "tenant_id", "user_id_hash", "environment", "service", "trace_context")
_MOST_REMEMBERED = 1000
_LONGEST_REMEMBERED = 512  # characters
_remembered: "OrderedDict[str, Dict[str, Any]]" = OrderedDict()  # by the id of the request: what feedback on it repeats


def configure(publisher: Optional[Publisher] = None, *, prepare: Optional[Prepare] = None, **fields: Any) -> Publisher:
    """Sets the publisher of the process, the hook that sees each event before it is sent, and
    fields of all events, such as `service`, `environment` and `version`, which otherwise come
    from DD_SERVICE, DD_ENV and DD_VERSION. Returns the publisher."""
    global _default, _base
    check_fields(fields)
    with _lock:
        if publisher is not None:
            _default = publisher
        elif _default is None:
            _default = Publisher()
        if prepare is not None:
            _default.prepare = prepare
        _base = {**_base, **event_fields(fields)}
        return _default


def default_publisher() -> Publisher:
    """Returns the publisher of the process, and makes it with the first call.

    Raises ValueError when EVALWORKER_URL is no URL."""
    return _default or configure()


def reset(variable: "contextvars.ContextVar[Any]", token: "contextvars.Token[Any]") -> None:
    """Resets a variable, except in a generator that another context ends: there it was never set."""
    try:
        variable.reset(token)
    except ValueError:
        pass


def contained(what: str, error: BaseException) -> None:
    """Counts and logs what must not reach a request of the application, once a minute."""
    try:
        default_publisher().note(f"{what}: {describe(error)}")
    except ValueError as problem:  # the address of the sidecar is no URL
        limited.warn(str(problem).replace("evalworker: ", ""))
    except Exception:
        pass


def known_fields(fields: Any, known: FrozenSet[str] = SCOPE_FIELDS) -> Dict[str, Any]:
    """Returns the fields of a request as the event has them, without those that are none, which
    it logs: a mistake there must not fail the request."""
    if not isinstance(fields, dict):
        if fields is not None:
            limited.warn(f"evalworker={type(fields).__name__} is no dict of fields and is left out")
        return {}
    for name in fields:
        if name not in known:
            _left_out(str(name), known)
    return event_fields({name: value for name, value in fields.items() if name in known})


def _left_out(name: str, known: FrozenSet[str]) -> None:
    """Says that a name is none of a field: a slip of the pen must not fail the request."""
    name = name[:100]
    _warn(f"{name!r} is no field and is left out{did_you_mean(name, known)}", name)


def _warn(text: str, about: str) -> None:
    """Counts and logs a mistake in what the application passes, once a minute for what it is about."""
    try:
        default_publisher().warn(text, about)
    except ValueError:  # the address of the sidecar is no URL
        limited.warn(text, about)


@contextmanager
def making(call: "Call") -> Iterator[None]:
    """Marks a request as the one that the library works on, and publishes it when that raises."""
    token = _making.set(call)
    try:
        yield
    except BaseException as error:
        call.finish(error)
        raise
    finally:
        reset(_making, token)


@contextmanager
def scope(**fields: Any) -> Iterator[None]:
    """Sets fields of all requests inside: `with evalworker.scope(session=sid, user=uid, feature="search"):`.

    Scopes nest, and belong to the thread or asyncio task that entered them and to tasks
    that are started inside. A thread that is started inside begins without them, unless
    it runs in `contextvars.copy_context()`, as those of `asyncio.to_thread` do."""
    token = _scope.set({**_scope.get(), **known_fields(fields)})
    try:
        yield
    finally:
        reset(_scope, token)


def last_request_id() -> Optional[str]:
    """Returns the id of the last request that this thread or task began; feedback needs it."""
    return _last.get()


_FEEDBACK_SCOPE = ("session_id", "tenant_id", "tenant_tier", "user_id_hash", "environment", "service", "feature", "prompt_name", "prompt_version")


def feedback(request_id: str, rating: Any = None, *, comment: str = "", max: Optional[float] = None, task_completed: Optional[bool] = None, **fields: Any) -> bool:
    """Publishes what a user thought of an answer, any time later and from any process.

    `rating` is "up" or "down", True or False, a float from 0 to 1, or a number with its `max`, such as
    `feedback(id, 4, max=5)`. The event repeats the prompt, session, tenant, user and the like of the
    request, when it is one of the last 1,000 that this process published; `fields` go before them.
    Returns False when the event was dropped."""
    if request_id is None or request_id == "":
        limited.warn("a rating without the id of a request is not published")
        return False
    event: Dict[str, Any] = {"event": "llm_user_feedback", **_identity()}
    try:
        event.update({name: value for name, value in _scope.get().items() if name in _FEEDBACK_SCOPE})
        with _lock:
            event.update(_remembered.get(str(request_id), {}))
        event.update(known_fields(fields))
        if type(rating) is bool:
            rating = "up" if rating else "down"
        if isinstance(rating, (int, float)) and max is None and "user_rating_max" not in fields:
            if isinstance(rating, float) and 0 <= rating <= 1:
                max = 1.0
            else:  # 1 is the best of some scales and the worst of others
                limited.warn("a rating that is a number needs max, such as feedback(id, 4, max=5)")
        if isinstance(rating, str) and not _is_rating(rating):  # which may be what the user wrote, and is not logged
            _warn(f"a rating is a word that the worker cannot read{did_you_mean(rating, _RATINGS)}; it knows {', '.join(_RATINGS)}, 4/5, ★★★★☆, and a number with max", "rating")
        given = {"request_id": request_id, "user_rating": rating, "user_rating_max": max, "task_completed": task_completed, "comment": comment or None}
        event.update({name: value for name, value in event_fields(given).items() if value is not None})
    except Exception as error:
        contained("a rating is not published", error)
        return False
    return _publish(event)


_RATINGS = tuple(
    "up thumbs_up like positive good helpful upvote +1 👍 true down thumbs_down dislike negative bad unhelpful downvote -1 👎 false".split()
)
_SEPARATORS = re.compile("[ _:\ufe0f\U0001f3fb-\U0001f3ff-]")  # of words, and what only changes how an emoji is drawn
_RATING = re.compile("|".join(re.escape(_SEPARATORS.sub("", word)) for word in (*_RATINGS, "thumb_up", "thumb_down", "liked", "disliked", "not_helpful", "upvoted", "downvoted")))
_NUMBER = re.compile(r"[+-]?[\d.]+(e[+-]?\d+)?(\s*/\s*[\d.]+)?|[★⭐☆]{1,10}")


def _is_rating(text: str) -> bool:
    """Tells whether the worker may read a text as a rating."""
    text = text.strip().lower()
    return not text or bool(_RATING.fullmatch(_SEPARATORS.sub("", text)) or _NUMBER.fullmatch(text.replace("\ufe0f", "")))


def _remember(event: Dict[str, Any]) -> None:
    """Keeps what feedback on a request repeats, so that it counts for the prompt also when it
    arrives before the request, or at a worker that never sees that."""
    try:
        known: Dict[str, Any] = {}
        for name in _FEEDBACK_REPEATS:
            value = event.get(name)
            if value is not None and type(value) is not str:
                value = copy(value)
            if value and len(str(value)) <= _LONGEST_REMEMBERED:
                known[name] = value
        with _lock:
            _remembered.pop(str(event["request_id"]), None)
            _remembered[str(event["request_id"])] = known
            if len(_remembered) > _MOST_REMEMBERED:
                _remembered.popitem(last=False)
    except Exception as error:
        contained("feedback on a request will not repeat its prompt", error)


def _publish(event: Dict[str, Any]) -> bool:
    """Publishes an event. It never raises, even when the address of the sidecar is no URL."""
    try:
        return default_publisher().publish(event)
    except Exception as error:
        contained("a request is not published", error)
        return False


def _identity() -> Dict[str, Any]:
    env = os.environ.get
    found = {"service": env("DD_SERVICE"), "environment": env("DD_ENV"), "version": env("DD_VERSION")}
    return {"occurred_at": _now(), **{k: v for k, v in found.items() if v}, **_base}


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()


class Call:
    """A request that is under way. `finish` publishes it, once.

    Its attributes are the fields of the event: `call.output = answer`, `call.retrieval = documents`,
    `call.input_tokens = 12`."""

    event: Dict[str, Any]
    retries: Optional[int]

    def __init__(self, fields: Dict[str, Any], defaults: Optional[Dict[str, Any]] = None) -> None:
        # What is nearest to the request counts: the process, then the client, the scope, the request.
        self.event = {"event": "llm_request_completed", **_identity(), **(defaults or {}), **_scope.get(), **fields}
        if not self.event.get("request_id"):
            self.event["request_id"] = "req_" + uuid.uuid4().hex
        if "trace_context" not in self.event:
            self.event["trace_context"] = trace_context()
        self.retries = None
        self._too_large = False
        self._began = time.perf_counter()
        self._done = False
        self._of_hook = preparing.get()
        _last.set(self.event["request_id"])

    @property
    def request_id(self) -> str:
        return str(self.event["request_id"])

    @property
    def done(self) -> bool:
        return self._done

    def __setattr__(self, name: str, value: Any) -> None:
        if name in CALL_FIELDS:
            self.event.update(event_fields({name: value}))
        elif name.startswith("_") or name in ("event", "retries"):
            super().__setattr__(name, value)
        else:
            _left_out(name, CALL_FIELDS)

    def __getattr__(self, name: str) -> Any:
        if name in CALL_FIELDS:
            return self.event.get(name)
        raise AttributeError(name)

    def keep(self, name: str, value: Any) -> None:
        """Sets a field to a copy of a value that the application may change during the request."""
        try:
            self.event[name] = copy(value)
        except TooLarge:
            self.withhold()
        except Exception as error:
            contained(f"{name} is left out", error)

    def withhold(self) -> None:
        """Publishes the request without content, because there is more than an event holds."""
        self._too_large = True

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
        _remember(event)
        # A stream that the application left ends when it is collected, which may be in the midst of the hook.
        token = preparing.set(self._of_hook)
        try:
            _publish(without_content(event, "too_large") if self._too_large else event)
        finally:
            preparing.reset(token)


def unpublished() -> Call:
    """Returns a request that is never published."""
    last = _last.get()
    call = Call({})
    call._done = True
    _last.set(last)
    return call


def _error_type(error: BaseException) -> str:
    name = type(error).__name__
    if name in ("CancelledError", "GeneratorExit", "KeyboardInterrupt"):
        return "cancelled"
    if "timeout" in name.lower():
        return "timeout"
    return name


_PROPAGATION = ("traceparent", "tracestate", "b3", "x-b3-", "x-datadog-")  # not baggage, which may hold content


def trace_context() -> Dict[str, str]:
    """Returns the propagation headers of the active span of Datadog's or OpenTelemetry's
    tracer, when one of them is loaded; else nothing."""
    headers: Dict[str, str] = {}
    try:
        if "ddtrace" in sys.modules:
            from ddtrace import tracer  # type: ignore[attr-defined,import-not-found,unused-ignore]
            from ddtrace.propagation.http import HTTPPropagator  # type: ignore[import-not-found,unused-ignore]

            context = tracer.current_trace_context()
            if context is not None:
                HTTPPropagator.inject(context, headers)
        if not headers and "opentelemetry" in sys.modules:
            from opentelemetry import propagate  # type: ignore[import-not-found,unused-ignore]

            propagate.inject(headers)
    except Exception:  # a tracer that is half set up must not reach the request
        return {}
    return {k: v for k, v in headers.items() if isinstance(v, str) and k.lower().startswith(_PROPAGATION)}


def _after_fork() -> None:
    """Another thread of the parent may have held the lock, which nobody releases in the child."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
