import asyncio
import gc

import anthropic
import openai
import pytest
from conftest import as_json, as_stream

import evalworker

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
                retry_count=0, provider="127.0.0.1")
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


def test_cancelled_request(provider, one_event, sidecar):
    async def ask():
        client = evalworker.wrap(openai.AsyncOpenAI(base_url="http://10.255.255.1/v1", api_key="k" * 8, max_retries=0))
        task = asyncio.ensure_future(client.chat.completions.create(model="m", messages=QUESTION))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(ask())
    event = one_event()
    assert (event["status"], event["error_type"]) == ("error", "cancelled")


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


def test_stream_that_is_never_asked_for_a_piece(provider, one_event):
    provider.answers.append(as_stream(CHUNKS))
    stream = evalworker.wrap(make(provider)).chat.completions.create(model="gpt-5", messages=QUESTION, stream=True)
    stream.close()
    stream.close()
    del stream
    gc.collect()
    event = one_event()
    assert (event["status"], event["error_type"]) == ("error", "cancelled")


def test_index_that_would_need_all_memory(provider, one_event):
    far = {**CHUNKS[3], "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 1 << 40, "function": {"name": "x"}}, {"index": -7, "function": {"name": "y"}}]}}]}
    provider.answers.append(as_stream(CHUNKS[:4] + [far] + CHUNKS[4:]))
    list(evalworker.wrap(make(provider)).chat.completions.create(model="gpt-5", messages=QUESTION, stream=True))
    assert one_event()["output"]["choices"][0]["message"] == {k: v for k, v in CHAT["choices"][0]["message"].items() if v is not None}
