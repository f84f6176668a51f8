import asyncio
import gc
import socket
import threading

import anthropic
import openai
import pytest
from conftest import as_json, as_stream

import evalworker
from evalworker import _event

CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-5-2026",
    "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
        "role": "assistant", "content": "Looking.", "refusal": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": '{"id": 7'}}]}}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17},
}
CHUNKS = [
    {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5-2026", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]},
    {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5-2026", "choices": [{"index": 0, "delta": {"content": "Look"}}]},
    {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5-2026", "choices": [{"index": 0, "delta": {"content": "ing."}}]},
    {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5-2026", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "lookup", "arguments": '{"id"'}}]}}]},
    {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5-2026", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": ": 7"}}]}, "finish_reason": "tool_calls"}]},
    {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5-2026", "choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}},
]
QUESTION = [{"role": "user", "content": "Where is my order?"}]
TOOLS = [{"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}]


def make(provider, kind=openai.OpenAI, **options):
    base = provider.url + ("" if "nthropic" in kind.__name__ else "/v1")
    return kind(base_url=base, api_key="k" * 8, max_retries=options.pop("max_retries", 0), **options)


def test_chat_completion(provider, one_event):
    provider.answers.append(as_json(CHAT))
    client = evalworker.wrap(make(provider), feature="support", prompt_name="triage", prompt_version="v3")
    answer = client.chat.completions.create(model="gpt-5", messages=QUESTION, tools=TOOLS)
    assert type(answer).__name__ == "ChatCompletion"
    event = one_event()
    assert event["output"]["choices"][0]["message"] == CHAT["choices"][0]["message"]
    want = dict(event="llm_request_completed", feature="support", prompt_name="triage", prompt_version="v3", model="gpt-5-2026",
                status="success", finish_reason="tool_calls", input=QUESTION, tools=TOOLS, input_tokens=12, output_tokens=5, total_tokens=17,
                retry_count=0, provider="openai")
    assert {k: event.get(k) for k in want} == want
    assert event["request_id"] == evalworker.last_request_id()
    assert event["llm_latency_ms"] > 0 and "first_token_latency_ms" not in event


@pytest.mark.parametrize("how", ["iterate", "with", "raw"])
def test_stream_is_the_answer_that_it_would_have_been(provider, one_event, how):
    provider.answers.append(as_stream(CHUNKS))
    client = evalworker.wrap(make(provider))
    ask = dict(model="gpt-5", messages=QUESTION, stream=True)
    if how == "raw":
        stream = client.chat.completions.with_raw_response.create(**ask).parse()
    else:
        stream = client.chat.completions.create(**ask)
    assert isinstance(stream, openai.Stream)
    if how == "with":
        with stream:
            pieces = list(stream)
    else:
        pieces = list(stream)
    assert len(pieces) == len(CHUNKS)
    event = one_event()
    message = event["output"]["choices"][0]["message"]
    assert message["content"] == "Looking." and message["tool_calls"] == CHAT["choices"][0]["message"]["tool_calls"]
    assert event["finish_reason"] == "tool_calls" and event["input_tokens"] == 12 and event["streaming"] is True
    assert 0 < event["first_token_latency_ms"] <= event["llm_latency_ms"]


def test_stream_helper(provider, one_event):
    provider.answers.append(as_stream([{**c, "choices": [{**x, "delta": {"content": x["delta"].get("content")}} for x in c["choices"]]} for c in CHUNKS]))
    with evalworker.wrap(make(provider)).chat.completions.stream(model="gpt-5", messages=QUESTION) as stream:
        assert stream.get_final_completion().choices[0].message.content == "Looking."
    event = one_event()
    assert event["output"]["choices"][0]["message"]["content"] == "Looking." and event["streaming"] is True


def test_stream_that_is_left_early_is_published_as_far_as_it_came(provider, one_event):
    provider.answers.append(as_stream(CHUNKS))
    stream = evalworker.wrap(make(provider)).chat.completions.create(model="gpt-5", messages=QUESTION, stream=True)
    for piece in stream:
        if piece.choices and piece.choices[0].delta.content:
            break
    stream._iterator.close()
    event = one_event()
    assert event["output"]["choices"][0]["message"]["content"] == "Look"
    assert (event["status"], event["error_type"]) == ("error", "cancelled")


def test_an_index_cannot_ask_for_memory(provider, one_event):
    far = {**CHUNKS[0], "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 10**6, "id": "far", "function": {"name": "f"}}]}}]}
    provider.answers.append(as_stream([CHUNKS[0], far, *CHUNKS[1:]]))
    for _ in evalworker.wrap(make(provider)).chat.completions.create(model="gpt-5", messages=QUESTION, stream=True):
        pass
    assert len(one_event()["output"]["choices"][0]["message"]["tool_calls"]) == 1


def test_retry_and_error(provider, one_event):
    busy = (429, "application/json", b'{"error":{"message":"slow down"}}')
    provider.answers += [busy, as_json(CHAT), busy]
    client = evalworker.wrap(make(provider, max_retries=1))
    client.chat.completions.create(model="gpt-5", messages=QUESTION)
    with pytest.raises(openai.RateLimitError):
        client.with_options(max_retries=0).chat.completions.create(model="gpt-5", messages=QUESTION)
    first, second = one_event(2)
    assert first["retry_count"] == 1 and first["status"] == "success"
    assert (second["status"], second["error_type"], second["model"]) == ("error", "RateLimitError", "gpt-5")


def test_scope_and_single_request(provider, one_event):
    provider.answers += [as_json(CHAT)] * 2
    evalworker.configure(service="api", feature="all")
    client = evalworker.wrap(make(provider), prompt_version="v1", feature="a", provider="vllm")
    with evalworker.scope(session_id="s1", feature="b"):
        client.chat.completions.create(model="m", messages=QUESTION, evalworker={"prompt_version": "v2", "request_id": "r1"})
    client.chat.completions.create(model="m", messages=QUESTION)
    first, second = one_event(2)
    assert (first["session_id"], first["feature"], first["prompt_version"], first["request_id"]) == ("s1", "b", "v2", "r1")
    assert first["provider"] == "vllm" and first["service"] == "api"
    assert "session_id" not in second and (second["feature"], second["prompt_version"]) == ("a", "v1")
    assert b"evalworker" not in provider.requests[0][2]


def test_messages_that_change_later(provider, one_event):
    provider.answers.append(as_stream(CHUNKS))
    messages = list(QUESTION)
    stream = evalworker.wrap(make(provider)).chat.completions.create(model="m", messages=messages, stream=True)
    messages.append({"role": "assistant", "content": "later"})
    list(stream)
    assert one_event()["input"] == QUESTION


def test_responses(provider, one_event):
    whole = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5", "status": "completed", "parallel_tool_calls": True,
             "tool_choice": "auto", "tools": [], "output": [{"id": "m", "type": "message", "role": "assistant", "status": "completed",
             "content": [{"type": "output_text", "text": "Hello.", "annotations": []}]}],
             "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5, "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}}
    events = [
        {"type": "response.created", "sequence_number": 0, "response": {**whole, "output": [], "status": "in_progress", "usage": None}},
        {"type": "response.output_text.delta", "sequence_number": 1, "item_id": "m", "output_index": 0, "content_index": 0, "delta": "Hello.", "logprobs": []},
        {"type": "response.completed", "sequence_number": 2, "response": whole},
    ]
    provider.answers += [as_json(whole), as_stream(events, named=True)]
    client = evalworker.wrap(make(provider))
    client.responses.create(model="gpt-5", input="Hi", instructions="Be kind.")
    list(client.responses.create(model="gpt-5", input="Hi", stream=True))
    first, second = one_event(2)
    for event in (first, second):
        assert event["output"]["output"][0]["content"][0]["text"] == "Hello."
        assert (event["input_tokens"], event["output_tokens"], event["status"]) == (3, 2, "success")
    assert first["input"] == {"input": "Hi", "instructions": "Be kind."}
    assert second["first_token_latency_ms"] > 0


MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-5", "stop_reason": "tool_use", "stop_sequence": None,
           "content": [{"type": "text", "text": "Looking."}, {"type": "tool_use", "id": "t1", "name": "lookup", "input": {"id": 7}}],
           "usage": {"input_tokens": 10, "cache_read_input_tokens": 4, "output_tokens": 6}}
MESSAGE_EVENTS = [
    {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None, "usage": {"input_tokens": 10, "cache_read_input_tokens": 4, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Looking."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t1", "name": "lookup", "input": {}}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"id":'}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": " 7}"}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 6}},
    {"type": "message_stop"},
]


@pytest.mark.parametrize("how", ["whole", "create", "stream"])
def test_anthropic(provider, one_event, how):
    provider.answers.append(as_json(MESSAGE) if how == "whole" else as_stream(MESSAGE_EVENTS, named=True))
    client = evalworker.wrap(make(provider, anthropic.Anthropic))
    ask = dict(model="claude-5", max_tokens=9, system="Be kind.", messages=QUESTION)
    if how == "whole":
        client.messages.create(**ask)
    elif how == "create":
        list(client.messages.create(**ask, stream=True))
    else:
        with client.messages.stream(**ask) as stream:
            assert stream.get_final_message().content[0].text == "Looking."
    event = one_event()
    got = [{k: block.get(k) for k in ("type", "text", "name", "input") if block.get(k) is not None} for block in event["output"]["content"]]
    assert got == [{"type": "text", "text": "Looking."}, {"type": "tool_use", "name": "lookup", "input": {"id": 7}}]
    assert (event["input_tokens"], event["output_tokens"], event["finish_reason"]) == (14, 6, "tool_use")
    assert event["input"] == {"messages": QUESTION, "system": "Be kind."}


@pytest.mark.parametrize("kind", [openai.AsyncOpenAI, anthropic.AsyncAnthropic])
def test_async(provider, one_event, kind):
    mine = kind is openai.AsyncOpenAI
    provider.answers += [as_json(CHAT if mine else MESSAGE), as_stream(CHUNKS) if mine else as_stream(MESSAGE_EVENTS, named=True)]

    async def ask():
        client = evalworker.wrap(make(provider, kind))
        create = client.chat.completions.create if mine else client.messages.create
        more = {} if mine else {"max_tokens": 9}
        with evalworker.scope(session_id="s1"):
            await create(model="m", messages=QUESTION, **more)
        async for _ in await create(model="m", messages=QUESTION, stream=True, **more):
            pass
        await client.close()

    asyncio.run(ask())
    first, second = one_event(2)
    assert first["session_id"] == "s1" and "session_id" not in second
    assert first["output_tokens"] == second["output_tokens"] and second["streaming"]


@pytest.mark.parametrize("kind", [openai.AsyncOpenAI, anthropic.AsyncAnthropic])
@pytest.mark.parametrize("stream", [False, True])
def test_cancelled_request(one_event, kind, stream):
    """A server that has the request and does not answer, or not to the end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"

        async def ask():
            loop = asyncio.get_running_loop()
            client = evalworker.wrap(kind(base_url=base, api_key="k" * 8, max_retries=0))
            create = client.chat.completions.create if kind is openai.AsyncOpenAI else client.messages.create

            async def use():
                answer = await create(model="m", messages=QUESTION, max_tokens=9, stream=stream)
                got.set()
                async for _ in answer:
                    pass

            got = asyncio.Event()
            listener.setblocking(False)
            task = asyncio.ensure_future(use())
            connection, _ = await loop.sock_accept(listener)
            with connection:
                await loop.sock_recv(connection, 1 << 16)
                if stream:
                    _, _, body = as_stream(CHUNKS[:2] if kind is openai.AsyncOpenAI else MESSAGE_EVENTS[:3], named=kind is not openai.AsyncOpenAI)
                    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 99999\r\n\r\n"
                    await loop.sock_sendall(connection, head + body.replace(b"data: [DONE]\n\n", b""))
                    await got.wait()
                    await asyncio.sleep(0.05)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            await client.close()

        asyncio.run(ask())
    event = one_event()
    assert (event["status"], event["error_type"]) == ("error", "cancelled") and event["input"] == QUESTION
    assert ("output" in event) == stream


def test_a_wrong_name_at_one_request_is_left_out(provider, one_event, caplog):
    provider.answers.append(as_json(CHAT))
    client = evalworker.wrap(make(provider))
    assert client.chat.completions.create(model="m", messages=QUESTION, evalworker={"promt_name": "x", "feature": "a"}).id == "chatcmpl-1"
    event = one_event()
    assert event["feature"] == "a" and "promt_name" not in event
    assert "promt_name" in caplog.text


def test_wrong_names_are_refused_at_once(provider):
    with pytest.raises(TypeError, match="promt_name"):
        evalworker.wrap(make(provider), promt_name="x")
    with pytest.raises(TypeError, match="no client"):
        evalworker.wrap(object())


@pytest.mark.parametrize("how", ["parsed", "pieces", "lines"])
@pytest.mark.parametrize("kind", [openai.OpenAI, openai.AsyncOpenAI])
def test_response_that_the_application_reads_itself(provider, one_event, kind, how):
    """It is not read before the application asks, and published when it closes it."""
    provider.answers.append(as_json(CHAT) if how == "parsed" else as_stream(CHUNKS))
    client = evalworker.wrap(make(provider, kind))
    ask = dict(model="gpt-5", messages=QUESTION, **({} if how == "parsed" else {"stream": True}))

    async def ask_async():
        async with client.chat.completions.with_streaming_response.create(**ask) as response:
            assert not response.http_response.is_stream_consumed
            if how == "lines":
                assert [line async for line in response.iter_lines()]
            elif how == "pieces":
                assert [piece async for piece in await response.parse()]
            else:
                assert (await response.parse()).choices

    if kind is openai.AsyncOpenAI:
        asyncio.run(ask_async())
    else:
        with client.chat.completions.with_streaming_response.create(**ask) as response:
            assert not response.http_response.is_stream_consumed
            if how == "lines":
                assert list(response.iter_lines())
            elif how == "pieces":
                assert list(response.parse())
            else:
                assert response.parse().choices
    event = one_event()
    assert event["status"] == "success"
    if how == "lines":
        assert "output" not in event
    else:
        assert event["output"]["choices"][0]["message"]["content"] == "Looking."


class OwnClient(openai.OpenAI):
    pass


@pytest.mark.parametrize(
    "make_client, want",
    [
        (lambda: openai.OpenAI(api_key="k" * 8, base_url="https://llm.example.com/v1"), "openai"),
        (lambda: OwnClient(api_key="k" * 8, base_url="https://llm.example.com/v1"), "openai"),
        (lambda: openai.OpenAI(api_key="k" * 8, base_url="https://own.openai.azure.com/openai/v1"), "azure"),
        (lambda: openai.AsyncAzureOpenAI(api_key="k" * 8, azure_endpoint="https://own.example.com", api_version="1"), "azure"),
        (lambda: anthropic.AsyncAnthropic(api_key="k" * 8, base_url="http://gateway:8080"), "anthropic"),
    ],
)
def test_the_provider_is_the_api_and_not_the_host(make_client, want):
    from evalworker._wrap import _provider

    assert _provider(make_client()) == want


def test_stream_that_is_never_asked_for_a_piece(provider, one_event):
    provider.answers.append(as_stream(CHUNKS))
    stream = evalworker.wrap(make(provider)).chat.completions.create(model="gpt-5", messages=QUESTION, stream=True)
    stream.close()
    stream.close()
    del stream
    gc.collect()
    event = one_event()
    assert (event["status"], event["error_type"]) == ("error", "cancelled")


@pytest.mark.parametrize("at", ["the hook", "the thread that sends"])
def test_stream_that_is_collected_in_the_thread_that_sends(provider, sidecar, monkeypatch, at):
    """Which thread collects what an application left is chance."""
    publisher = evalworker.publisher()
    collect = threading.Event()

    def may_collect(event):
        if collect.is_set():
            collect.clear()
            gc.collect()
        return event

    if at == "the hook":
        publisher.prepare = may_collect
    else:
        encode = _event.encode
        monkeypatch.setattr(_event, "encode", lambda event: encode(may_collect(event)))
    provider.answers.append(as_stream(CHUNKS))
    stream = evalworker.wrap(make(provider)).chat.completions.create(model="gpt-5", messages=QUESTION, stream=True)
    gc.disable()
    try:
        next(iter(stream))
        del stream
        collect.set()
        publisher.publish({"request_id": "another"})
        assert publisher.flush(10)
    finally:
        gc.enable()
    assert not collect.is_set() and publisher.close(10)
    assert sorted(event.get("error_type", "") for event in sidecar.events) == ["", "cancelled"]


def test_index_that_would_need_all_memory(provider, one_event):
    far = {**CHUNKS[3], "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 1 << 40, "function": {"name": "x"}}, {"index": -7, "function": {"name": "y"}}]}}]}
    provider.answers.append(as_stream(CHUNKS[:4] + [far] + CHUNKS[4:]))
    list(evalworker.wrap(make(provider)).chat.completions.create(model="gpt-5", messages=QUESTION, stream=True))
    assert one_event()["output"]["choices"][0]["message"] == {k: v for k, v in CHAT["choices"][0]["message"].items() if v is not None}


def whole(value, of):
    """Compares what came with what the event has, where that may hold more."""
    if isinstance(value, dict):
        assert isinstance(of, dict), (value, of)
        for name, member in value.items():
            if member is not None:  # the libraries leave null out of streams
                assert name in of, (name, of)
                whole(member, of[name])
    elif isinstance(value, list):
        assert isinstance(of, list) and len(of) == len(value), (value, of)
        for one, other in zip(value, of):
            whole(one, other)
    else:
        assert value == of


FULL_CHAT = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-5-2026", "service_tier": "default", "system_fingerprint": "fp_1",
    "vendor": {"region": "eu"}, "citations": ["https://example.com"],
    "choices": [
        {"index": 0, "finish_reason": "stop", "logprobs": {"content": [{"token": "Hi", "logprob": -0.1, "bytes": [72], "top_logprobs": []}], "refusal": None},
         "message": {"role": "assistant", "content": "Hi.", "refusal": None, "reasoning_content": "Be brief.", "annotations": [], "vendor": 1,
                     "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": "{}"}}]}},
        {"index": 1, "finish_reason": "content_filter", "message": {"role": "assistant", "content": None, "refusal": "No."}},
    ],
    "usage": {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17, "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": 0},
              "completion_tokens_details": {"reasoning_tokens": 2, "accepted_prediction_tokens": 0}, "cost": 0.01},
}  # fmt: skip
FULL_CHUNKS = [
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "", "reasoning_content": "Be "}}]},
    {"choices": [{"index": 0, "delta": {"reasoning_content": "brief.", "vendor": 1, "annotations": []}}]},
    {"choices": [{"index": 0, "delta": {"content": "Hi"}, "logprobs": {"content": [{"token": "Hi", "logprob": -0.1, "bytes": [72], "top_logprobs": []}]}}], "citations": ["https://example.com"]},
    {"choices": [{"index": 1, "delta": {"role": "assistant", "refusal": "N"}}]},
    {"choices": [{"index": 0, "delta": {"content": "."}}, {"index": 1, "delta": {"refusal": "o."}, "finish_reason": "content_filter"}], "vendor": {"region": "eu"}},
    {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "lookup", "arguments": ""}}]}}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}, "finish_reason": "stop"}]},
    {"choices": [], "usage": FULL_CHAT["usage"]},
]  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
def test_every_field_of_a_chat_completion(provider, one_event, stream):
    head = {name: FULL_CHAT[name] for name in ("id", "created", "model", "service_tier", "system_fingerprint")}
    provider.answers.append(as_stream([{**head, "object": "chat.completion.chunk", **chunk} for chunk in FULL_CHUNKS]) if stream else as_json(FULL_CHAT))
    answer = evalworker.wrap(make(provider)).chat.completions.create(model="gpt-5", messages=QUESTION, n=2, logprobs=True, stream=stream)
    if stream:
        list(answer)
    event = one_event()
    whole(FULL_CHAT, event["output"])
    assert (event["model"], event["finish_reason"], event["input_tokens"], event["output_tokens"], event["total_tokens"]) == ("gpt-5-2026", "stop", 12, 5, 17)


FULL_MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-5", "stop_reason": "tool_use", "stop_sequence": None, "vendor": {"region": "eu"},
    "content": [
        {"type": "thinking", "thinking": "Be brief.", "signature": "sig1"},
        {"type": "text", "text": "Hi.", "citations": [{"type": "char_location", "cited_text": "Hi", "document_index": 0, "document_title": "d", "start_char_index": 0, "end_char_index": 2, "file_id": None}]},
        {"type": "tool_use", "id": "t1", "name": "lookup", "input": {"id": 7, "deep": [1, None]}},
    ],
    "container": {"id": "c1", "expires_at": "2026-01-01T00:00:00Z"},
    "usage": {"input_tokens": 10, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2, "output_tokens": 6, "service_tier": "standard",
              "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0}},
}  # fmt: skip
FULL_MESSAGE_EVENTS = [
    {"type": "message_start", "message": {**FULL_MESSAGE, "content": [], "stop_reason": None, "container": None, "usage": {**FULL_MESSAGE["usage"], "output_tokens": 1}}},
    {"type": "ping"},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Be "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "brief."}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "sig1"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": "", "citations": []}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Hi."}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "citations_delta", "citation": FULL_MESSAGE["content"][1]["citations"][0]}},
    {"type": "content_block_stop", "index": 1},
    {"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "id": "t1", "name": "lookup", "input": {}}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"id": 7, '}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '"deep": [1, null]}'}},
    {"type": "content_block_stop", "index": 2},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None, "container": FULL_MESSAGE["container"]}, "usage": {"output_tokens": 6}},
    {"type": "message_stop"},
]


@pytest.mark.parametrize("how", ["whole", "create", "stream", "beta"])
def test_every_field_of_a_message(provider, one_event, how):
    provider.answers.append(as_json(FULL_MESSAGE) if how == "whole" else as_stream(FULL_MESSAGE_EVENTS, named=True))
    client = evalworker.wrap(make(provider, anthropic.Anthropic))
    ask = dict(model="claude-5", max_tokens=9, messages=QUESTION, tools=[{"name": "lookup", "input_schema": {"type": "object"}}])
    if how == "stream":
        with client.messages.stream(**ask) as stream:
            stream.until_done()
    elif how == "whole":
        client.messages.create(**ask)
    else:
        list((client.beta if how == "beta" else client).messages.create(**ask, stream=True))
    event = one_event()
    whole(FULL_MESSAGE, event["output"])
    assert (event["model"], event["finish_reason"], event["input_tokens"], event["output_tokens"], event["total_tokens"]) == ("claude-5", "tool_use", 16, 6, 22)
    assert event["tools"] == ask["tools"]


FULL_RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5", "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "parallel_tool_calls": True,
    "tool_choice": "auto", "tools": [], "metadata": {"k": "v"}, "temperature": 1.0, "vendor": [1],
    "output": [
        {"id": "r", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Be brief."}]},
        {"id": "f", "type": "function_call", "call_id": "c1", "name": "lookup", "arguments": "{}", "status": "completed"},
        {"id": "m", "type": "message", "role": "assistant", "status": "incomplete", "content": [{"type": "output_text", "text": "Hi.", "annotations": [], "logprobs": []}]},
    ],
    "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5, "input_tokens_details": {"cached_tokens": 1}, "output_tokens_details": {"reasoning_tokens": 1}},
}  # fmt: skip


@pytest.mark.parametrize("how", ["whole", "stream", "cut off"])
def test_every_field_of_a_response(provider, one_event, how):
    created = {**FULL_RESPONSE, "output": [], "status": "in_progress", "usage": None, "incomplete_details": None}
    events = [{"type": "response.created", "sequence_number": 0, "response": created}]
    events += [{"type": "response.output_item.done", "sequence_number": 1, "output_index": i, "item": FULL_RESPONSE["output"][i]} for i in range(2)]
    events += [{"type": "response.output_text.delta", "sequence_number": 3, "item_id": "m", "output_index": 2, "content_index": 0, "delta": "Hi.", "logprobs": []}]
    if how == "stream":
        events += [{"type": "response.incomplete", "sequence_number": 4, "response": FULL_RESPONSE}]
    provider.answers.append(as_json(FULL_RESPONSE) if how == "whole" else as_stream(events, named=True))
    answer = evalworker.wrap(make(provider)).responses.create(model="gpt-5", input="Hi", stream=how != "whole")
    if how != "whole":
        list(answer)
    event = one_event()
    if how == "cut off":
        assert event["output"]["output"][:2] == FULL_RESPONSE["output"][:2] and event["output"]["output"][2]["content"][0]["text"] == "Hi."
    else:
        whole(FULL_RESPONSE, event["output"])
        assert (event["finish_reason"], event["input_tokens"], event["output_tokens"], event["total_tokens"]) == ("max_output_tokens", 3, 2, 5)


def test_completions(provider, one_event):
    answer = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "choices": [{"index": 0, "text": "It is.", "finish_reason": "stop", "logprobs": None}], "usage": CHAT["usage"]}
    pieces = [{**answer, "usage": None, "choices": [{"index": 0, "text": text, "finish_reason": reason}]} for text, reason in (("It ", None), ("is.", "stop"))]
    provider.answers += [as_json(answer), as_stream([*pieces, {**answer, "choices": []}])]
    client = evalworker.wrap(make(provider))
    client.completions.create(model="m", prompt="Where?")
    list(client.completions.create(model="m", prompt="Where?", stream=True))
    for event in one_event(2):
        whole(answer, event["output"])
        assert event["input"] == {"prompt": "Where?"} and event["output_tokens"] == 5


def test_tool_calls_of_which_a_provider_does_not_number_the_pieces(provider, one_event):
    parts = [{"id": "a", "function": {"name": "f", "arguments": "{"}}, {"function": {"arguments": "}"}}, {"id": "b", "function": {"name": "g", "arguments": "[]"}}]
    provider.answers.append(as_stream([{**CHUNKS[0], "choices": [{"index": 0, "delta": {"tool_calls": [part]}}]} for part in parts]))
    list(evalworker.wrap(make(provider)).chat.completions.create(model="m", messages=QUESTION, stream=True))
    calls = one_event()["output"]["choices"][0]["message"]["tool_calls"]
    assert [(call["id"], call["function"]["arguments"]) for call in calls] == [("a", "{}"), ("b", "[]")]


@pytest.mark.parametrize("kind", [openai.OpenAI, openai.AsyncOpenAI, anthropic.Anthropic, anthropic.AsyncAnthropic])
def test_retries_are_counted(provider, one_event, kind):
    mine = "OpenAI" in kind.__name__
    busy = (429, "application/json", b'{"error":{"message":"slow down","type":"rate_limit_error"}}')
    provider.answers += [busy, busy, as_json(CHAT if mine else MESSAGE), busy, busy, busy]
    client = evalworker.wrap(make(provider, kind, max_retries=2))
    create = client.chat.completions.create if mine else client.messages.create
    error = openai.RateLimitError if mine else anthropic.RateLimitError
    ask = dict(model="m", messages=QUESTION, max_tokens=9)
    if "Async" in kind.__name__:

        async def both():
            await create(**ask)
            with pytest.raises(error):
                await create(**ask)
            await client.close()

        asyncio.run(both())
    else:
        create(**ask)
        with pytest.raises(error):
            create(**ask)
    first, second = one_event(2)
    assert (first["status"], first["retry_count"]) == ("success", 2)
    assert (second["status"], second["error_type"], second["retry_count"]) == ("error", "RateLimitError", 2)


def test_retrieval_rating_and_labels_of_a_wrapped_request(provider, one_event):
    from langchain_core.documents import Document

    provider.answers += [as_json(CHAT)] * 2
    client = evalworker.wrap(make(provider), feature="support", tenant="t1")
    found = [Document(page_content="It is in Graz.", id="d7", metadata={"score": 0.9})]
    client.chat.completions.create(model="m", messages=QUESTION, evalworker={"retrieval": found, "user": "ada@example.com", "session": "s1", "request_id": 7})
    with evalworker.scope(retrieval=[{"content": "It is in Linz."}], user="ada@example.com"):
        client.chat.completions.create(model="m", messages=QUESTION)
        assert evalworker.feedback(evalworker.last_request_id(), 0.8, task_completed=False)
    first, second, rating = one_event(3)
    assert first["retrieval"] == {"chunks": [{"id": "d7", "text": "It is in Graz.", "score": 0.9}], "hit_count": 1, "top_score": 0.9}
    assert (first["session_id"], first["tenant_id"], first["request_id"]) == ("s1", "t1", 7)
    assert second["retrieval"]["chunks"] == [{"text": "It is in Linz."}]
    assert first["user_id_hash"] == second["user_id_hash"] == rating["user_id_hash"] and "ada@" not in str(first) + str(second) + str(rating)
    assert (rating["request_id"], rating["user_rating"], rating["user_rating_max"], rating["task_completed"]) == (second["request_id"], 0.8, 1.0, False)


def test_a_hook_that_fails_does_not_reach_the_request(provider, one_event):
    def prepare(event):
        raise ValueError(event["input"])

    evalworker.configure(prepare=prepare)
    provider.answers.append(as_json(CHAT))
    assert evalworker.wrap(make(provider), feature="a").chat.completions.create(model="m", messages=QUESTION).id == "chatcmpl-1"
    event = one_event()
    assert event["content_withheld"] == "not_redacted" and "input" not in event and "output" not in event
    assert (event["feature"], event["input_tokens"], event["status"], event["retry_count"]) == ("a", 12, "success", 0)


def test_what_goes_wrong_in_this_package_reaches_no_request(provider, one_event, monkeypatch, caplog):
    from evalworker import _wrap

    def broken(*_):
        raise ValueError("secret")

    provider.answers += [as_json(CHAT)] * 2 + [as_stream(CHUNKS)]
    client = evalworker.wrap(make(provider))
    with monkeypatch.context() as m:
        m.setattr(_wrap, "record_answer", broken)
        assert client.chat.completions.create(model="m", messages=QUESTION).id == "chatcmpl-1"
        m.setattr(_wrap, "known_fields", broken)
        assert client.chat.completions.create(model="m", messages=QUESTION, evalworker={}).id == "chatcmpl-1"
    with monkeypatch.context() as m:
        m.setattr(_wrap.ChatPieces, "add", broken)
        assert len(list(client.chat.completions.create(model="m", messages=QUESTION, stream=True))) == len(CHUNKS)
    stats = evalworker.publisher().stats
    assert stats["errors"] == 2 + len(CHUNKS) and "ValueError at test_wrap.py" in caplog.text and "secret" not in caplog.text


def test_fields_of_one_request_that_are_no_dict(provider, one_event, caplog):
    provider.answers.append(as_json(CHAT))
    evalworker.wrap(make(provider)).chat.completions.create(model="m", messages=QUESTION, evalworker=["feature"])
    assert one_event()["status"] == "success" and "no dict" in caplog.text


@pytest.mark.parametrize("kind", [openai.OpenAI, openai.AsyncOpenAI])
def test_a_stream_in_a_form_that_this_package_does_not_know(provider, sidecar, monkeypatch, kind):
    from evalworker import _wrap

    def broken(*_):
        raise AttributeError("_iterator")

    monkeypatch.setattr(_wrap, "_record_stream", broken)
    provider.answers.append(as_stream(CHUNKS))
    client = evalworker.wrap(make(provider, kind))

    async def ask_async():
        async with client.chat.completions.stream(model="gpt-5", messages=QUESTION) as stream:
            return [event async for event in stream]

    if kind is openai.AsyncOpenAI:
        assert asyncio.run(ask_async())
    else:
        with client.chat.completions.stream(model="gpt-5", messages=QUESTION) as stream:
            assert list(stream)
    assert evalworker.publisher().stats["errors"] == 1
