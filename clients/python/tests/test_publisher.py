import json
import logging
import os
import threading

import evalworker
from evalworker import Publisher, _call, _publisher


def test_batches_and_order(sidecar):
    publisher = Publisher(sidecar.url)
    for i in range(250):
        assert publisher.publish({"event": "llm_request_completed", "request_id": str(i)})
    assert publisher.close(10)
    assert [e["request_id"] for e in sidecar.events] == [str(i) for i in range(250)]
    assert len(sidecar.requests) <= 5 and publisher.stats["accepted"] == 250


def test_sidecar_says_later(sidecar):
    sidecar.answers += [(503, "application/json", b"{}"), (429, "application/json", b"{}")]
    publisher = Publisher(sidecar.url)
    publisher.publish({"request_id": "a"})
    assert publisher.close(10)
    assert publisher.stats["retries"] == 2 and publisher.stats["accepted"] == 1


def test_sidecar_away_costs_memory_up_to_the_bound(caplog):
    publisher = Publisher("http://127.0.0.1:9", max_events=10)
    with caplog.at_level(logging.WARNING, logger="evalworker"):
        for i in range(500):
            publisher.publish({"request_id": str(i), "input": "x" * 100})
        assert len(publisher._queue) <= 10
        assert publisher.close(0.05) is False
    assert publisher.stats["accepted"] + publisher.stats["dropped"] == 500
    assert publisher.stats["last_error"]
    assert len(caplog.records) == 1  # the first trouble, then one a minute


def test_an_idle_connection_is_not_used_again(sidecar, monkeypatch, caplog):
    """The sidecar closes it after a while, which is no trouble to be warned of."""
    monkeypatch.setattr(_publisher, "_IDLE_SECONDS", 0.0)
    sidecar.closes = True
    publisher = Publisher(sidecar.url, linger=0.0)
    for i in range(3):
        publisher.publish({"request_id": str(i)})
        assert publisher.flush(10)
    publisher.close(10)
    assert publisher.stats["retries"] == 0 and not caplog.records


def test_refused_events_are_counted_and_named(sidecar, caplog):
    sidecar.answers.append((400, "application/json", json.dumps({"accepted": 1, "rejected": 1, "faults": [{"line": 2, "problem": "malformed: missing request_id"}]}).encode()))
    publisher = Publisher(sidecar.url)
    publisher.publish({"request_id": "a"})
    publisher.publish({"a": 1})
    publisher.close(10)
    assert publisher.stats["accepted"] == 1 and publisher.stats["refused"] == 1
    assert "missing request_id" in publisher.stats["last_error"]


def test_a_token_may_end_with_a_new_line(sidecar):
    publisher = Publisher(sidecar.url, token="abc\n")
    publisher.publish({"request_id": "a"})
    assert publisher.close(10) and publisher.stats["accepted"] == 1
    assert sidecar.requests[0][1]["Authorization"] == "Bearer abc"


def test_a_token_is_not_logged(sidecar, caplog):
    publisher = Publisher(sidecar.url, token="abc\ndef")
    publisher.publish({"request_id": "a"})
    publisher.close(10)
    assert publisher.stats["dropped"] == 1
    assert "abc" not in caplog.text and "abc" not in publisher.stats["last_error"]


def test_no_thread_can_be_started(sidecar, monkeypatch):
    def fails(thread):
        raise RuntimeError("can't start new thread")

    publisher = Publisher(sidecar.url)
    with monkeypatch.context() as now:
        now.setattr(threading.Thread, "start", fails)
        assert publisher.publish({"request_id": "a"}) is False
    assert publisher.publish({"request_id": "b"})
    assert publisher.close(10)
    assert [e["request_id"] for e in sidecar.events] == ["b"] and publisher.stats["dropped"] == 1


def test_an_address_that_is_no_url_reaches_no_request(monkeypatch, caplog):
    monkeypatch.setattr(_call, "_default", None)
    monkeypatch.setenv("EVALWORKER_URL", "sidecar:8788")
    with evalworker.observe(prompt_name="triage", input="Hi") as call:
        call.output = "Hello."
    assert evalworker.feedback(call.request_id, "up") is False
    assert "is no URL of a sidecar" in caplog.text


def test_what_json_has_no_form_for(sidecar):
    class Strange:
        def __str__(self):
            return "strange"

    publisher = Publisher(sidecar.url)
    publisher.publish({"request_id": "a", "input": {1, 2}, "output": b"abc", "estimated_cost_usd": float("nan"), "expected": Strange(), "comment": "\ud800"})
    publisher.close(10)
    (event,) = sidecar.events
    assert event["output"] == "[3 bytes]" and event["estimated_cost_usd"] is None and event["expected"] == "strange"


def test_fork(sidecar):
    """A child has a thread of its own, and sends nothing of its parent's."""
    publisher = Publisher(sidecar.url, linger=0.0)
    publisher.publish({"request_id": "parent"})
    assert publisher.flush(10)
    child = os.fork()
    if child == 0:
        try:
            publisher.publish({"request_id": "child"})
            os._exit(0 if publisher.flush(10) else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert status == 0
    publisher.close(10)
    assert sorted(e["request_id"] for e in sidecar.events) == ["child", "parent"]


def test_many_threads(sidecar):
    publisher = Publisher(sidecar.url)
    threads = [threading.Thread(target=lambda t=t: [publisher.publish({"request_id": f"{t}-{i}"}) for i in range(100)]) for t in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert publisher.close(20)
    assert len({e["request_id"] for e in sidecar.events}) == 1600


def test_observe_and_feedback(one_event):
    try:
        with evalworker.observe(prompt_name="triage", input="Hi") as call:
            call.output = "Hello."
        with evalworker.observe(prompt_name="triage", input="Hi"):
            raise ValueError("x")
    except ValueError:
        pass
    assert evalworker.feedback(call.request_id, "up", comment="good")
    first, second, third = one_event(3)
    assert (first["output"], first["status"]) == ("Hello.", "success")
    assert (second["status"], second["error_type"]) == ("error", "ValueError")
    assert (third["event"], third["request_id"], third["user_rating"]) == ("llm_user_feedback", call.request_id, "up")
