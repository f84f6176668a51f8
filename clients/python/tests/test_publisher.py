import json
import logging
import multiprocessing
import os
import socket
import threading

import pytest

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
        assert publisher.stats["waiting"] <= 10
        assert publisher.close(0.05) is False
    assert publisher.stats["accepted"] + publisher.stats["dropped"] == 500
    assert publisher.stats["last_error"]
    # The first trouble, then one a minute; and what is lost at the end.
    assert [record.getMessage().split(":")[1] for record in caplog.records] == [" 1 events dropped", " 10 events lost at close"]


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
    assert publisher.stats["accepted"] == 1 and publisher.stats["rejected"] == 1
    assert "missing request_id" in publisher.stats["last_error"]


def test_a_token_may_end_with_a_new_line(sidecar):
    publisher = Publisher(sidecar.url, token="abc\n")
    publisher.publish({"request_id": "a"})
    assert publisher.close(10) and publisher.stats["accepted"] == 1
    assert sidecar.requests[0][1]["Authorization"] == "Bearer abc"


def test_a_token_is_not_logged(sidecar, caplog):
    publisher = Publisher(sidecar.url, token="abc\ndef")
    publisher.publish({"request_id": "a"})
    publisher.close(0.05)
    assert publisher.stats["dropped"] == 1
    assert "nothing can be sent" in caplog.text
    assert "abc" not in caplog.text and "abc" not in publisher.stats["last_error"]


def test_every_failure_to_send_is_tried_again(sidecar, monkeypatch, caplog):
    """Also one that is Python's own, such as of a codec that is missing; what was published is kept."""
    publisher = Publisher(sidecar.url, linger=0.0)
    post, failures = publisher._post, [LookupError("unknown encoding: idna"), MemoryError(), RuntimeError("can't start new thread")]

    def fail_first(body):
        if failures:
            raise failures.pop(0)
        return post(body)

    monkeypatch.setattr(publisher, "_post", fail_first)
    for i in range(10):
        publisher.publish({"request_id": str(i)})
    assert publisher.close(20)
    stats = publisher.stats
    assert (stats["accepted"], stats["dropped"], stats["retries"], stats["waiting"]) == (10, 0, 3, 0)
    assert [e["request_id"] for e in sidecar.events] == [str(i) for i in range(10)]
    assert "LookupError at test_publisher.py" in caplog.text and "RuntimeError" in stats["last_error"]


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
    assert event["output"] == "YWJj" and "estimated_cost_usd" not in event and event["expected"] == "strange"


def test_objects_that_have_no_text(one_event):
    """What an object does when it is written is no trouble of the application."""

    class Hostile:
        def model_dump(self, **_):
            raise KeyError("x")

        def dict(self):
            return self

        def __str__(self):
            raise ValueError("no text")

    with evalworker.observe(input=Hostile()) as call:
        call.output = [Hostile()]
    event = one_event()
    assert (event["input"], event["output"]) == ("[Hostile]", ["[Hostile]"])


def test_a_body_that_is_too_large_is_sent_in_halves(sidecar):
    sidecar.answers += [(413, "application/json", b"{}")] * 2  # for all four, then for the first two
    publisher = Publisher(sidecar.url)
    for name in "abcd":
        publisher.publish({"request_id": name})
    assert publisher.close(10)
    assert [len(body.splitlines()) for _, _, body in sidecar.requests] == [4, 2, 1, 1, 2]
    assert publisher.stats["accepted"] == 4 and publisher.stats["rejected"] == 0


def test_a_proxy_says_that_the_sidecar_is_away(sidecar):
    sidecar.answers += [(502, "text/html", b"<html>"), (500, "application/json", b"null")]
    publisher = Publisher(sidecar.url)
    publisher.publish({"request_id": "a"})
    assert publisher.close(10)
    assert publisher.stats["retries"] == 2 and publisher.stats["accepted"] == 1


def test_an_answer_in_no_known_form(sidecar):
    sidecar.answers += [(400, "application/json", answer) for answer in (b"null", b"[1]", b"<html>")]
    publisher = Publisher(sidecar.url)
    for name in "abcd":
        publisher.publish({"request_id": name})
        assert publisher.flush(10)
    assert publisher.stats["rejected"] == 3 and publisher.stats["accepted"] == 1 and publisher.stats["dropped"] == 0


def test_a_refusal_before_the_body_is_read_stops_nothing():
    """Who is told that a body is too large need not be able to send it to its end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        bodies = []

        def serve():
            for answer in (b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"):
                connection, _ = listener.accept()
                with connection:
                    bodies.append(connection.recv(1 << 16))
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)

        server = threading.Thread(target=serve)
        server.start()
        publisher = Publisher(f"http://127.0.0.1:{listener.getsockname()[1]}", max_event_bytes=64 << 20)
        publisher.publish({"request_id": "large", "input": "x" * (32 << 20)})
        publisher.publish({"request_id": "small"})
        assert publisher.close(10), publisher.stats
        server.join()
    assert publisher.stats["rejected"] == 1 and publisher.stats["accepted"] == 1
    assert len(bodies) == 2


def test_a_token_is_never_told(sidecar, caplog):
    assert Publisher(sidecar.url, token="tok-1\n")._token == "tok-1"
    publisher = Publisher(sidecar.url, token="tok\n-1")
    publisher.publish({"request_id": "a"})
    publisher.close(10)
    assert publisher.stats["dropped"] == 1 and "tok" not in publisher.stats["last_error"] + caplog.text


@pytest.mark.parametrize("url", ["http://ada:s3cret@127.0.0.1:9/x", "ftp://ada:s3cret@127.0.0.1:9", "ada:s3cret@127.0.0.1"])
def test_a_login_in_the_address_is_never_told(caplog, url):
    try:
        publisher = Publisher(url)
        publisher.publish({"request_id": "a"})
        publisher.close(0.3)
        said = publisher.stats["last_error"] + caplog.text
        assert "http://127.0.0.1:9/x does not answer" in caplog.text
    except ValueError as error:
        said = str(error)
    assert "127.0.0.1" in said and "s3cret" not in said


def test_a_thread_that_does_not_start_is_started_later(sidecar, monkeypatch):
    publisher = Publisher(sidecar.url)
    with monkeypatch.context() as m:

        def no_thread(_):
            raise RuntimeError("can't start new thread")

        m.setattr(threading.Thread, "start", no_thread)
        assert publisher.publish({"request_id": "a"})
    assert publisher.publish({"request_id": "b"})
    assert publisher.close(10)
    assert [e["request_id"] for e in sidecar.events] == ["a", "b"] and publisher.stats["dropped"] == 0


def test_a_process_of_multiprocessing_sends_before_it_ends(sidecar):
    publisher = Publisher(sidecar.url, linger=60)
    child = multiprocessing.get_context("fork").Process(target=publisher.publish, args=({"request_id": "child"},))
    child.start()
    child.join()
    assert [e["request_id"] for e in sidecar.events] == ["child"]


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


def test_off_publishes_nothing(monkeypatch, sidecar):
    monkeypatch.setenv("EVALWORKER_URL", "off")
    publisher = Publisher()
    assert not publisher.publish({"request_id": "a"}) and publisher.flush(10) and publisher.close(10)
    assert publisher._thread is None and not any(publisher.stats.values())
