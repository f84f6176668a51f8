"""The fields of an event, and how an event becomes a line that the sidecar takes."""

from __future__ import annotations

import contextvars
import hashlib
import hmac
import json
import os
from typing import Any, Callable, Dict, FrozenSet, Iterable, Optional, Tuple

from . import _media
from ._log import describe, did_you_mean, limited
from ._retrieval import retrieval_of
from ._values import copy

Prepare = Callable[[Dict[str, Any]], Optional[Dict[str, Any]]]

# Whether the hook is running, or what runs was begun by it: what it publishes would call it again, without end.
preparing: "contextvars.ContextVar[bool]" = contextvars.ContextVar("evalworker_preparing", default=False)

# What `configure`, `wrap`, `scope` and a single call may set; the names are those of the event.
SCOPE_FIELDS: FrozenSet[str] = frozenset(
    "request_id session_id tenant_id tenant_tier user_id_hash service environment version feature prompt_name "
    "prompt_version prompt_variant prompt_environment provider model output_schema expected retrieval tools "
    "user_rating user_rating_min user_rating_max task_completed estimated_cost_usd cache_hit trace_context "
    "session tenant user".split()
)
CALL_FIELDS: FrozenSet[str] = SCOPE_FIELDS | frozenset(
    "input output status error_type finish_reason retry_count streaming input_tokens output_tokens total_tokens "
    "llm_latency_ms first_token_latency_ms tool_calls comment".split()
)

_SHORT_NAMES = {"session": "session_id", "tenant": "tenant_id"}
_CONTENT = frozenset("input output expected tools tool_calls retrieval comment".split())
_LABELS = (CALL_FIELDS - _CONTENT) | {"event", "occurred_at", "trace_id", "span_id", "content_withheld"}
_RETRIEVAL_NUMBERS = frozenset("hit_count top_score latency_ms".split())
_LONGEST_LABEL = 8192


def check_fields(fields: Iterable[str], known: FrozenSet[str] = SCOPE_FIELDS) -> None:
    """Raises TypeError for a name that is no field, when the application starts and not in a request."""
    unknown = sorted(set(fields) - known)
    if unknown:
        raise TypeError(f"evalworker: {unknown[0]!r} is no field{did_you_mean(unknown[0], known)}; the fields are {', '.join(sorted(known))}")


def event_fields(given: Dict[str, Any]) -> Dict[str, Any]:
    """Returns fields as the event has them: short names in full, the user hashed, what was
    retrieved in the event's form. A value that cannot be read is left out."""
    made: Dict[str, Any] = {}
    for name, value in given.items():
        try:
            if name == "user":
                name, value = "user_id_hash", hash_user(value)
            elif name == "retrieval":
                value = retrieval_of(value)
            elif name == "request_id" and value is not None and not isinstance(value, int):
                value = str(value)
        except Exception as error:
            limited.warn(f"{name} is left out: {describe(error)}")
            continue
        made[_SHORT_NAMES.get(name, name)] = value
    return made


def hash_user(user: Any) -> Optional[str]:
    """Returns the hash that stands for a user: SHA-256 in hexadecimal, or HMAC-SHA-256 with the key
    EVALWORKER_USER_KEY, without which the hash of an e-mail address can be found by trying."""
    if user is None or user == "":
        return None
    key, text = os.environ.get("EVALWORKER_USER_KEY", "").encode(), str(user).encode("utf-8", "replace")
    return hmac.new(key, text, hashlib.sha256).hexdigest() if key else hashlib.sha256(text).hexdigest()


def _is_label(name: str, value: Any) -> bool:
    """Tells labels from what is too long to be one, or has content inside."""
    if isinstance(value, dict):
        return name == "trace_context" and len(value) <= 20 and all(isinstance(header, str) and len(header) <= _LONGEST_LABEL for header in value.values())
    return name in _LABELS and not isinstance(value, (list, tuple, set, frozenset)) and not (isinstance(value, str) and len(value) > _LONGEST_LABEL)


def without_content(event: Dict[str, Any], why: str) -> Dict[str, Any]:
    """Returns an event that says what happened but not what was asked and answered."""
    bare = {name: value for name, value in event.items() if _is_label(name, value)}
    retrieval = event.get("retrieval")
    if isinstance(retrieval, dict):
        bare["retrieval"] = {name: value for name, value in retrieval.items() if name in _RETRIEVAL_NUMBERS and isinstance(value, (int, float))}
    bare["content_withheld"] = why
    return bare


def encode(event: Dict[str, Any]) -> bytes:
    """Returns a copied event as one line. What is null is left out."""
    known = {name: value for name, value in event.items() if value is not None and value != {}}
    text = json.dumps(known, default=str, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace") + b"\n"


def line_of(event: Dict[str, Any], prepare: Optional[Prepare], limit: int) -> Tuple[Optional[bytes], str]:
    """Returns a copied event as the line to send, with media replaced and changed by the hook,
    and why its content is withheld: "" when it is not. The line is None when the hook drops
    the event; a hook that fails, and a line above the limit, cost the content."""
    event, withheld = _media.replace(event), ""
    if prepare is not None:
        bare = copy(without_content(event, "not_redacted"))  # before the hook may change a part of it and fail
        token = preparing.set(True)
        try:
            changed = prepare(event)
            if changed is None:
                return None, ""
            if not isinstance(changed, dict):
                raise TypeError("the hook returned no dict")
            event = {**_media.replace(copy(changed)), "event": bare.get("event"), "request_id": bare.get("request_id")}
        except BaseException as error:
            event, withheld = bare, f"not_redacted: the hook raised {describe(error)}"
        finally:
            preparing.reset(token)
    line = encode(event)
    if len(line) > limit:
        line, withheld = encode(without_content(event, "too_large")), f"too_large: {len(line)} bytes"
    return line, withheld
