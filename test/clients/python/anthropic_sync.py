"""Anthropic's library, synchronous, in threads."""

import anthropic
import jobs

import evalworker  # publishing

client = anthropic.Anthropic(base_url=jobs.MODEL_URL, api_key="none")
client = evalworker.wrap(client, **jobs.FIELDS)  # publishing
TOOL = {"name": "lookup", "input_schema": jobs.TOOL["function"]["parameters"]}


def ask(kind, question):
    chat = {"model": "small", "max_tokens": 100, "messages": [{"role": "user", "content": question}]}
    if kind.endswith("tools"):
        chat["tools"] = [TOOL]
    if kind.startswith("stream"):
        with client.messages.stream(**chat) as stream:
            assert stream.get_final_message().usage.output_tokens == 5
    elif kind == "cancel":
        try:
            client.with_options(max_retries=0, timeout=0.05).messages.create(**chat)
            raise AssertionError("no error")
        except anthropic.APITimeoutError:
            pass
    elif kind == "error":
        try:
            client.messages.create(**chat)
            raise AssertionError("no error")
        except anthropic.BadRequestError:
            pass
    else:
        client.messages.create(**chat)


jobs.run(ask)
evalworker.flush(30)  # publishing
