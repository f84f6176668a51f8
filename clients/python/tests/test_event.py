import base64
import dataclasses
import datetime
import decimal
import enum
import hashlib
import io
import json
import logging
import pathlib
import uuid

import numpy
import pydantic
import pytest
from langchain_core.documents import Document

import evalworker
from evalworker import Publisher, _publisher, _values
from evalworker._event import hash_user
from evalworker._media import replace
from evalworker._retrieval import retrieval_of

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
DATA = base64.b64encode(PNG).decode()
DIGEST = f"size={len(PNG)};sha256={hashlib.sha256(PNG).hexdigest()};base64,"
SHOWN = f"data:image/png;{DIGEST}"
TABLES = pathlib.Path(__file__).resolve().parents[2] / "testdata"  # of all clients


def send(sidecar, event, **options):
    """Returns the event that the sidecar gets, and the publisher's stats."""
    publisher = Publisher(sidecar.url, linger=0.0, **options)
    publisher.publish({"event": "llm_request_completed", "request_id": "r1", **event})
    assert publisher.close(10), publisher.stats
    return sidecar.events[0] if sidecar.requests else None, publisher.stats


# Values


class Color(enum.Enum):
    RED = "red"


class Point(pydantic.BaseModel):
    x: float
    when: datetime.datetime = None
    schema_: str = pydantic.Field("s", alias="schema")


@dataclasses.dataclass
class Pair:
    left: object
    right: object


@pytest.mark.parametrize(
    "value, want",
    [
        (float("nan"), None),
        ([float("inf"), 1.5], [None, 1.5]),
        (numpy.float64(1.5), 1.5),
        (numpy.float32("nan"), None),
        (numpy.int64(3), 3),
        (numpy.bool_(True), True),
        (numpy.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (numpy.zeros((1000, 100)), "[ndarray of shape (1000, 100)]"),
        (datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc), "2026-01-02T00:00:00+00:00"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.timedelta(seconds=1.5), 1.5),
        (decimal.Decimal("0.25"), 0.25),
        (decimal.Decimal("NaN"), None),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Color.RED, "red"),
        ({Color.RED: 1, 2: "b"}, {"red": 1, "2": "b"}),
        (Point(x=1, schema="t"), {"x": 1.0, "schema": "t"}),
        (Pair(Color.RED, Pair(1, (2, 3))), {"left": "red", "right": {"left": 1, "right": [2, 3]}}),
        (10**400, "[integer of 1329 bits]"),
    ],
)
def test_values(sidecar, value, want):
    event, _ = send(sidecar, {"output": {"value": value}})
    assert event["output"]["value"] == want


def test_a_time_without_zone_is_local(sidecar):
    event, _ = send(sidecar, {"occurred_at": datetime.datetime(2026, 1, 2, 3, 4, 5)})
    assert datetime.datetime.fromisoformat(event["occurred_at"]) == datetime.datetime(2026, 1, 2, 3, 4, 5).astimezone()


def test_a_bad_optional_field_does_not_cost_the_event(one_event):
    class Hostile:
        def __str__(self):
            raise ValueError("no text")

        def __getattr__(self, name):
            raise KeyError(name)

    with evalworker.observe(input="Hi", estimated_cost_usd=float("nan"), user=Hostile(), retrieval=[Hostile()], tenant=Hostile()) as call:
        call.output, call.input_tokens, call.expected = "Hello.", numpy.int64(3), {Hostile(): Hostile()}
    event = one_event()
    assert (event["input"], event["output"], event["input_tokens"]) == ("Hi", "Hello.", 3)
    assert "estimated_cost_usd" not in event and "user_id_hash" not in event


def test_what_holds_itself_and_what_has_no_end(sidecar):
    loop = {}
    loop["self"] = [loop, loop]
    event, stats = send(sidecar, {"output": loop, "model": "m"})
    assert (event["model"], event["content_withheld"], stats["withheld"]) == ("m", "too_large", 1)
    deep = []
    for _ in range(1000):
        deep = [deep]
    assert "[nested too deeply]" in json.dumps(_values.copy(deep))


def test_mocks_of_a_test_suite(one_event):
    from unittest.mock import MagicMock

    with evalworker.observe(input=MagicMock()) as call:
        call.output = MagicMock()
    assert "MagicMock" in one_event()["output"]


def test_an_input_of_too_many_values_goes_without_content(one_event):
    with evalworker.observe(input=list(range(200_000)), feature="a") as call:
        call.output = "answer"
    event = one_event()
    assert event["content_withheld"] == "too_large" and "input" not in event and "output" not in event and event["feature"] == "a"


def test_a_label_that_is_no_label_does_not_cost_the_event(one_event):
    with evalworker.observe(input="Hi", feature=list(range(200_000)), prompt_name="p", trace_context={"traceparent": "t"}):
        pass
    event = one_event()
    assert event["content_withheld"] == "too_large" and "feature" not in event
    assert (event["prompt_name"], event["trace_context"]) == ("p", {"traceparent": "t"})


# Media


@pytest.mark.parametrize("case", json.loads((TABLES / "media.json").read_text()), ids=lambda case: case["name"])
def test_media_as_all_clients_replace_it(sidecar, case):
    event, _ = send(sidecar, {"input": case["value"]})
    assert event["input"] == case["want"]


@pytest.mark.parametrize(
    "part, want",
    [
        ({"inline_data": {"mime_type": "image/png", "data": PNG}}, {"inline_data": {"mime_type": "image/png", "data": SHOWN}}),  # Gemini
        ({"image": {"format": "png", "source": {"bytes": PNG}}}, {"image": {"format": "png", "source": {"bytes": f"data:;{DIGEST}"}}}),  # Bedrock
        (bytearray(PNG), f"data:;{DIGEST}"),
        (b"abc", "YWJj"),
        (b"\xff" * 191, "/" * 254 + "8="),
    ],
)  # fmt: skip
def test_bytes(part, want):
    assert replace(_values.copy(part)) == want


def test_media_in_a_text_that_is_almost_json():
    text = '{"type": "image", "data": "' + DATA + '", "a": 1} "'
    assert replace(text) == text


@pytest.mark.parametrize("case", json.loads((TABLES / "user.json").read_text()), ids=str)
def test_user_as_all_clients_hash_it(monkeypatch, case):
    monkeypatch.setenv("EVALWORKER_USER_KEY", case["key"])
    assert (hash_user(case["user"]) or "") == case["hash"]


# The hook


def test_hook(sidecar):
    def prepare(event):
        assert event["input"] == SHOWN  # after media are replaced
        if event.get("feature") == "private":
            return None
        event["input"], event["output"] = "***", {1, 2}
        return {**event, "request_id": "other"}

    event, stats = send(sidecar, {"input": f"data:image/png;base64,{DATA}"}, prepare=prepare)
    assert (event["input"], event["output"], event["request_id"], stats["filtered"]) == ("***", [1, 2], "r1", 0)
    sidecar.requests.clear()
    event, stats = send(sidecar, {"input": f"data:image/png;base64,{DATA}", "feature": "private"}, prepare=prepare)
    assert event is None and stats["filtered"] == 1 and stats["waiting"] == 0


@pytest.mark.parametrize("how", ["raise", "exit", "no dict"])
def test_hook_that_fails_costs_the_content(sidecar, caplog, how):
    def prepare(event):
        event["feature"], event["input"] = event["input"], "half done"
        if how == "raise":
            raise ValueError(event["input"])
        if how == "exit":
            raise SystemExit(1)
        return "text"

    full = {
        "input": "secret", "output": "secret", "expected": "secret", "tools": ["secret"], "comment": "secret", "unknown": "secret", "tool_calls": ["secret"],
        "retrieval": {"query": "secret", "hit_count": 1, "top_score": 0.5, "chunks": [{"text": "secret"}]},
        "session_id": {"text": "secret"}, "tenant_id": ["secret"],
        "model": "m", "status": "success", "feature": "a", "input_tokens": 3, "trace_context": {"traceparent": "t"},
    }  # fmt: skip
    event, stats = send(sidecar, full, prepare=prepare)
    assert event == {
        "event": "llm_request_completed", "request_id": "r1", "model": "m", "status": "success", "feature": "a", "input_tokens": 3,
        "trace_context": {"traceparent": "t"}, "retrieval": {"hit_count": 1, "top_score": 0.5}, "content_withheld": "not_redacted",
    }  # fmt: skip
    assert stats["withheld"] == 1 and "secret" not in caplog.text + stats["last_error"] and "not_redacted" in caplog.text


def test_hook_that_publishes_or_waits_does_not_wait_for_itself(sidecar):
    def prepare(event):
        assert not publisher.publish({"request_id": "again"}) and not publisher.flush(60)
        return event

    publisher = Publisher(sidecar.url, linger=0.0, prepare=prepare)
    publisher.publish({"request_id": "a"})
    assert publisher.close(10) and publisher.stats["accepted"] == 1 and publisher.stats["dropped"] == 1


def test_hook_of_the_process(one_event):
    evalworker.configure(prepare=lambda event: {**event, "output": "***"})
    with evalworker.observe() as call:
        call.output = "secret"
    assert one_event()["output"] == "***"


# Sizes


def test_an_event_above_the_limit_goes_without_content(sidecar):
    event, stats = send(sidecar, {"input": "ab " * 400_000, "output": "Hello.", "model": "m", "feature": "f" * 2_000_000})
    assert event == {"event": "llm_request_completed", "request_id": "r1", "model": "m", "content_withheld": "too_large"}
    assert stats["withheld"] == 1 and stats["accepted"] == 1


def test_a_large_picture_is_no_large_event(sidecar):
    data = base64.b64encode(PNG * 5000).decode()
    event, stats = send(sidecar, {"input": [{"image_url": {"url": f"data:image/png;base64,{data}"}}]})
    assert event["input"][0]["image_url"]["url"].startswith(f"data:image/png;size={5000 * len(PNG)};sha256=") and stats["withheld"] == 0


def test_pictures_need_no_memory_while_the_sidecar_is_away(sidecar):
    sidecar.answers += [(503, "application/json", b"{}")] * 3
    publisher = Publisher(sidecar.url, linger=0.0)
    text = base64.b64encode(PNG * 1000).decode()
    for i in range(5):
        publisher.publish({"request_id": str(i), "input": {"type": "image", "data": text}})
    assert publisher.close(10)
    assert publisher.stats["accepted"] == 5 and publisher._bytes == 0


# Warnings of the sidecar


@pytest.mark.parametrize("warnings", [[{"line": 1, "field": "cost", "problem": "no number"}, {"line": 2}], ["text", None], [[1], {"field": 7}]])
def test_warnings_of_the_sidecar(sidecar, caplog, warnings):
    sidecar.answers.append((202, "application/json", json.dumps({"accepted": 1, "warnings": warnings, "more_warnings": 3}).encode()))
    _, stats = send(sidecar, {})
    assert (stats["accepted"], stats["warnings"], stats["last_error"]) == (1, 5, "")
    assert "warns of 5 fields" in caplog.text
    if isinstance(warnings[0], dict):
        assert "cost: no number" in caplog.text and stats["last_warning"] == "cost: no number"


@pytest.mark.parametrize("answer", [{"accepted": "1"}, {"accepted": -1}, {"accepted": 99}, {"warnings": {}}, {"warnings": None, "accepted": None}])
def test_answers_in_odd_forms(sidecar, answer):
    sidecar.answers.append((202, "application/json", json.dumps(answer).encode()))
    _, stats = send(sidecar, {})
    assert (stats["accepted"], stats["rejected"], stats["warnings"], stats["waiting"]) == (1, 0, 0, 0)


def test_one_warning_a_minute_with_the_count(caplog, monkeypatch):
    from evalworker import _log

    clock = iter([0.0, 1.0, 2.0, 61.0])
    monkeypatch.setattr(_log.time, "monotonic", lambda: next(clock))
    limited = _log.Limited()
    with caplog.at_level(logging.WARNING, logger="evalworker"):
        for i in range(4):
            limited.warn(f"trouble {i}")
    assert [record.getMessage() for record in caplog.records] == ["evalworker: trouble 0", "evalworker: trouble 3 (and 2 warnings since the last one)"]


# Retrieval


@dataclasses.dataclass
class Node:  # as LlamaIndex's
    text: str
    node_id: str = "n1"


@dataclasses.dataclass
class Scored:
    node: Node
    score: float


@pytest.mark.parametrize(
    "found, want",
    [
        (["one", "two"], [{"text": "one"}, {"text": "two"}]),
        ("one", [{"text": "one"}]),
        ([{"page_content": "one", "metadata": {"source": "d1", "score": 0.5}}], [{"id": "d1", "text": "one", "score": 0.5}]),
        ([{"content": "one", "id": 7, "score": numpy.float32(0.5)}], [{"id": 7, "text": "one", "score": 0.5}]),
        ([{"text": "one", "score": "high"}], [{"text": "one"}]),
        ({"text": "one"}, [{"text": "one"}]),
        ([Document(page_content="one", id="d1", metadata={"relevance_score": 0.5})], [{"id": "d1", "text": "one", "score": 0.5}]),
        ([(Document(page_content="one"), 0.5)], [{"text": "one", "score": 0.5}]),
        ([Scored(Node("one"), 0.5)], [{"text": "one", "score": 0.5}]),
        ([{"file_id": "f", "score": 0.5, "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}], [{"id": "f", "text": "one\ntwo", "score": 0.5}]),
        ([], []),
    ],
)
def test_retrieval(found, want):
    made = retrieval_of(found)
    assert made["chunks"] == want and made["hit_count"] == len(want)
    assert made.get("top_score") == (0.5 if any("score" in chunk for chunk in want) else None)


def test_retrieval_in_the_form_of_an_event():
    assert retrieval_of({"query": "q", "index": "i", "documents": ["one"], "hit_count": 9}) == {"query": "q", "index": "i", "hit_count": 9, "chunks": [{"text": "one"}]}
    assert retrieval_of({"query": "q"}) == {"query": "q"} and retrieval_of(None) is None


def test_an_open_file_is_no_content(one_event):
    with evalworker.observe(input={"file": io.BytesIO(b"x")}):
        pass
    assert "BytesIO" in one_event()["input"]["file"]


def test_the_version_is_told(sidecar):
    send(sidecar, {})
    assert sidecar.requests[0][1]["User-Agent"] == "evalworker-python/" + evalworker.__version__ and _publisher.__version__ == evalworker.__version__
