import asyncio
import inspect
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import evalworker


def test_function(one_event):
    @evalworker.observe(prompt_name="triage", prompt_version="v3", feature="support")
    def ask(question, *, tone="kind"):
        """Asks."""
        return {"reply": question.upper()}

    assert ask("where?", tone="dry") == {"reply": "WHERE?"}
    assert (ask.__name__, ask.__doc__) == ("ask", "Asks.")
    event = one_event()
    want = dict(event="llm_request_completed", prompt_name="triage", prompt_version="v3", feature="support", status="success",
                input={"question": "where?", "tone": "dry"}, output={"reply": "WHERE?"}, request_id=evalworker.last_request_id())  # fmt: skip
    assert {name: event.get(name) for name in want} == want
    assert event["llm_latency_ms"] >= 0 and "first_token_latency_ms" not in event


def test_without_parentheses_a_method_and_its_only_argument(one_event):
    class Model:
        @evalworker.observe
        def ask(self, question):
            return question + "!"

    assert Model().ask("Hi") == "Hi!"
    event = one_event()
    assert (event["input"], event["output"]) == ("Hi", "Hi!")


def test_arguments_are_as_they_were(one_event):
    @evalworker.observe
    def ask(messages):
        messages.append("later")

    ask(["first"])
    event = one_event()
    assert event["input"] == ["first"] and "output" not in event


def test_what_is_not_captured(one_event):
    @evalworker.observe(capture_input=False, capture_output=False)
    def ask(secret):
        evalworker.current_call().output_schema = "reply"
        return secret

    assert ask("s") == "s"
    event = one_event()
    assert "input" not in event and "output" not in event and event["output_schema"] == "reply"


def test_exception(one_event):
    @evalworker.observe(input="given")
    def ask(question):
        raise ConnectionError("away")

    with pytest.raises(ConnectionError, match="away"):
        ask("Hi")
    with pytest.raises(TypeError, match="question"):
        ask()
    first, second = one_event(2)
    assert (first["status"], first["error_type"], first["input"]) == ("error", "ConnectionError", "given")
    assert (second["status"], second["error_type"]) == ("error", "TypeError")


def test_coroutine(one_event):
    @evalworker.observe(prompt_name="triage")
    async def ask(question):
        call = evalworker.current_call()
        await asyncio.sleep(0)
        assert evalworker.current_call() is call
        call.retrieval = ["It is in Graz."]
        call.input_tokens, call.user = 3, "ada@example.com"
        return question + "!"

    assert inspect.iscoroutinefunction(ask)

    async def many():
        return await asyncio.gather(*(ask(str(i)) for i in range(20)))

    assert asyncio.run(many()) == [f"{i}!" for i in range(20)]
    events = one_event(20)
    assert sorted((e["input"], e["output"]) for e in events) == sorted((str(i), f"{i}!") for i in range(20))
    assert all(e["retrieval"] == {"chunks": [{"text": "It is in Graz."}], "hit_count": 1} for e in events)
    assert len(events[0]["user_id_hash"]) == 64 and "ada@" not in str(events)


def test_coroutine_that_is_cancelled(one_event):
    @evalworker.observe
    async def ask():
        await asyncio.Event().wait()

    async def cancel():
        task = asyncio.ensure_future(ask())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    event = one_event()
    assert (event["status"], event["error_type"]) == ("error", "cancelled")


def test_generator(one_event):
    @evalworker.observe
    def words(question):
        got = yield "It "
        yield got
        try:
            yield "is "
        except KeyError:
            yield "here."
        return 7

    assert inspect.isgeneratorfunction(words)
    run = words("Where?")
    assert [next(run), run.send("really "), next(run), run.throw(KeyError("x"))] == ["It ", "really ", "is ", "here."]
    with pytest.raises(StopIteration) as stop:
        next(run)
    assert stop.value.value == 7
    event = one_event()
    assert (event["input"], event["output"], event["streaming"]) == ("Where?", "It really is here.", True)
    assert 0 <= event["first_token_latency_ms"] <= event["llm_latency_ms"]


def test_generator_that_fails_or_is_left(one_event):
    @evalworker.observe
    def words(fail):
        assert evalworker.current_call().request_id == evalworker.last_request_id()
        yield {"n": 1}
        if fail:
            raise ValueError("x")
        yield {"n": 2}

    outside = evalworker.current_call().request_id
    with pytest.raises(ValueError):
        for _ in words(True):
            assert evalworker.current_call().request_id != evalworker.last_request_id() != outside  # between the steps runs other code
    for _ in words(False):
        break
    first, second = one_event(2)
    assert (first["output"], first["status"], first["error_type"]) == ([{"n": 1}], "error", "ValueError")
    assert (second["output"], second["status"], second["error_type"]) == ([{"n": 1}], "error", "cancelled")


def test_asynchronous_generator(one_event):
    closed = []

    @evalworker.observe
    async def words(question):
        try:
            yield "It "
            await asyncio.sleep(0)
            yield "is."
        finally:
            closed.append(True)

    assert inspect.isasyncgenfunction(words)

    async def take():
        assert "".join([piece async for piece in words("Where?")]) == "It is."
        run = words("Where?")
        assert await run.__anext__() == "It "
        await run.aclose()

    asyncio.run(take())
    first, second = one_event(2)
    assert (first["output"], first["status"], first["streaming"]) == ("It is.", "success", True)
    assert (second["output"], second["error_type"]) == ("It ", "cancelled")
    assert closed == [True, True]


def test_function_that_returns_a_generator_or_a_coroutine(one_event):
    @evalworker.observe
    def pieces():
        return (word for word in ("It ", "is."))

    @evalworker.observe
    def later():
        async def answer():
            return "later"

        return answer()

    assert list(pieces()) == ["It ", "is."] and asyncio.run(later()) == "later"
    assert [event["output"] for event in one_event(2)] == ["It is.", "later"]


def test_asynchronous_with(one_event):
    async def ask():
        async with evalworker.observe(prompt_name="triage", input="Hi") as call:
            call.output = "Hello."

    asyncio.run(ask())
    assert one_event()["output"] == "Hello."


def test_wrong_names(one_event, caplog):
    with pytest.raises(TypeError, match="promt_name"):  # when the application starts

        @evalworker.observe(promt_name="x")
        def ask():
            pass

    with evalworker.scope(promt_version="x"), evalworker.observe(input="Hi", promt_variant="x") as call:
        call.promt_name = "x"
        call.feature = "a"
    event = one_event()
    assert event["feature"] == "a" and not [name for name in event if "promt" in name] and "promt_version" in caplog.text


def test_outside_of_a_request_nothing_is_published(sidecar):
    before = evalworker.last_request_id()
    evalworker.current_call().output = "x"
    evalworker.current_call().finish()
    assert evalworker.flush(10) and not sidecar.requests and evalworker.last_request_id() == before


def test_scopes_nest_and_belong_to_their_thread(one_event):
    def ask(name):
        with evalworker.observe(input=name):
            pass

    with evalworker.scope(session="s1", tenant="t1", user="u1", feature="a", retrieval=["passage"]):
        with evalworker.scope(feature="b", prompt_version="v2"):
            ask("inner")
        ask("outer")
        thread = threading.Thread(target=ask, args=("thread",))
        thread.start()
        thread.join()

        async def task():
            await asyncio.gather(asyncio.to_thread(ask, "to_thread"), asyncio.create_task(other()))

        async def other():
            ask("task")

        asyncio.run(task())
    events = {event["input"]: event for event in one_event(5)}
    assert (events["inner"]["feature"], events["inner"]["prompt_version"]) == ("b", "v2")
    assert events["outer"]["feature"] == "a" and "prompt_version" not in events["outer"]
    for name in ("inner", "outer", "task", "to_thread"):
        assert (events[name]["session_id"], events[name]["tenant_id"]) == ("s1", "t1"), name
        assert events[name]["retrieval"]["chunks"] == [{"text": "passage"}] and "u1" not in events[name].values()
    assert "session_id" not in events["thread"]


def test_a_scope_around_a_yield_reaches_no_request(one_event):
    """A generator that another context ends cannot reset what it set."""

    async def dependency():
        with evalworker.scope(feature="a"), evalworker.observe(input="x"):
            yield

    async def use():
        run = dependency()
        await asyncio.create_task(run.__anext__())
        await asyncio.create_task(run.aclose())

    asyncio.run(use())
    assert one_event()["feature"] == "a"


@pytest.mark.parametrize(
    "given, want",
    [
        (("up",), {"user_rating": "up"}),
        ((False,), {"user_rating": "down"}),
        ((0.8,), {"user_rating": 0.8, "user_rating_max": 1.0}),
        ((0,), {"user_rating": 0}),
    ],
)
def test_ratings(one_event, given, want):
    with evalworker.scope(session="s1", user="u1"):
        assert evalworker.feedback("r1", *given, comment="good", task_completed=True, tenant="t1")
    event = one_event()
    want = {**want, "event": "llm_user_feedback", "request_id": "r1", "comment": "good", "task_completed": True, "session_id": "s1", "tenant_id": "t1"}
    assert {name: event.get(name) for name in want} == want and len(event["user_id_hash"]) == 64


def test_ratings_with_a_scale_and_a_wrong_name(one_event, caplog):
    assert evalworker.feedback("r1", 4, max=5, promt="x")
    event = one_event()
    assert (event["user_rating"], event["user_rating_max"]) == (4, 5) and "promt" not in event and "'promt' is no field" in caplog.text


def test_a_rating_of_no_request(sidecar, caplog):
    assert evalworker.feedback(None, "up") is False and evalworker.feedback("", "up") is False
    assert evalworker.flush(10) and not sidecar.requests and "without the id" in caplog.text


def test_a_number_without_a_scale_is_published_and_said(one_event, caplog):
    assert evalworker.feedback("r1", 4)
    assert one_event()["user_rating"] == 4 and "needs max" in caplog.text


def test_feedback_repeats_what_is_known_of_its_request(sidecar, one_event):
    import uuid

    labels = dict(prompt_name="triage", prompt_version="v3", feature="support", session="s1", tenant="t1", user="u1", service="api", environment="prod")
    with evalworker.observe(**labels, input="Hi", trace_context={"traceparent": "00-1-2-01"}) as call:
        call.output = "Hello."
    with evalworker.observe(prompt_name="p" * 10_000, session=uuid.UUID(int=7), request_id=12):
        pass
    with evalworker.scope(session="of the handler of feedback", feature="thumbs"):
        assert evalworker.feedback(call.request_id, "up")
        assert evalworker.feedback(call.request_id, "down", prompt_version="v4", user="u2")
    assert evalworker.feedback(12, "up") and evalworker.feedback("of another process", "up")
    asked, _, first, second, long, other = one_event(6)
    repeated = ["prompt_name", "prompt_version", "feature", "session_id", "tenant_id", "user_id_hash", "environment", "service", "trace_context"]
    assert all(asked[name] and first[name] == asked[name] for name in repeated)
    assert not {"input", "output", "model", "status"} & set(first)
    assert (second["prompt_version"], second["prompt_name"]) == ("v4", "triage") and second["user_id_hash"] != asked["user_id_hash"]
    assert long["session_id"] == str(uuid.UUID(int=7)) and "prompt_name" not in long
    assert "prompt_name" not in other


def test_requests_are_remembered_up_to_a_bound(one_event):
    for i in range(1001):
        with evalworker.observe(request_id=f"r{i}", prompt_name="p"):
            pass
    evalworker.feedback("r0", "up")
    evalworker.feedback("r1", "up")
    first, second = one_event(1003)[-2:]
    assert "prompt_name" not in first and second["prompt_name"] == "p"


def test_each_wrong_name_is_said_once_a_minute(sidecar, caplog):
    with evalworker.scope(promt_name="x", tennant="y"):
        for _ in range(2):
            with evalworker.observe(promt_name="x", sessionid="z") as call:
                call.outptu = "Hello."
    said = [record.getMessage() for record in caplog.records]
    want = {"promt_name": "prompt_name", "tennant": "tenant", "sessionid": "session_id", "outptu": "output"}
    assert said == [f"evalworker: {name!r} is no field and is left out (did you mean {meant!r}?)" for name, meant in want.items()]
    assert evalworker.stats()["warnings"] == 2 + 2 * 3 and "outptu" in evalworker.stats()["last_warning"]


def test_wrong_names_fill_neither_log_nor_memory(sidecar, caplog):
    for i in range(1000):
        with evalworker.scope(**{f"{i:04}" + "x" * 1000: 1}):
            pass
    assert len(caplog.records) == 101 and max(len(record.getMessage()) for record in caplog.records) < 300
    assert evalworker.stats()["warnings"] == 1000


@pytest.mark.parametrize("rating", ["dwon", "so lala", "4 of 5"])
def test_a_rating_that_the_worker_cannot_read_is_published_and_said(one_event, caplog, rating):
    assert evalworker.feedback("r1", rating)
    assert one_event()["user_rating"] == rating and len(caplog.records) == evalworker.stats()["warnings"] == 1
    assert "cannot read" in caplog.text and "thumbs_down" in caplog.text and rating not in caplog.text
    assert ("did you mean 'down'?" in caplog.text) == (rating == "dwon")


@pytest.mark.parametrize("rating", ["Thumbs Up", "not-helpful", ":+1:", "👍🏽", "-1", "4", "4 / 5", "★★★★☆", "4.5"])
def test_a_rating_that_the_worker_reads_is_not_said(one_event, caplog, rating):
    assert evalworker.feedback("r1", rating) and one_event()["user_rating"] == rating and not caplog.records


def test_users_are_hashed_with_a_key(one_event, monkeypatch):
    import hashlib
    import hmac

    with evalworker.observe(user="ada"):
        pass
    monkeypatch.setenv("EVALWORKER_USER_KEY", "k1")
    with evalworker.observe(user="ada"):
        pass
    first, second = one_event(2)
    assert first["user_id_hash"] == hashlib.sha256(b"ada").hexdigest()
    assert second["user_id_hash"] == hmac.new(b"k1", b"ada", "sha256").hexdigest()


def test_the_trace_of_datadogs_tracer(sidecar):
    """In a process of its own, because ddtrace changes the one that loads it."""
    program = """
import evalworker
from ddtrace import tracer
with tracer.trace("ask") as span:
    tracer.current_trace_context().set_baggage_item("user", "alice")
    evalworker.observe(request_id="inside")(len)("Hi")
evalworker.observe(request_id="outside")(len)("Hi")
print(f"{span.trace_id:032x}-{span.span_id:016x} {span.trace_id % 2**64}")
"""
    environ = {"EVALWORKER_URL": sidecar.url, "PYTHONPATH": str(Path(__file__).parent.parent / "src"), "DD_TRACE_AGENT_URL": "http://127.0.0.1:9", "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false", "DD_REMOTE_CONFIGURATION_ENABLED": "false"}
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, **environ}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    ids, low = done.stdout.split()
    events = {event["request_id"]: event for event in sidecar.events}
    headers = events["inside"]["trace_context"]
    assert headers["traceparent"] == f"00-{ids}-01" and headers["x-datadog-trace-id"] == low
    assert "alice" not in str(headers) and "trace_context" not in events["outside"]
