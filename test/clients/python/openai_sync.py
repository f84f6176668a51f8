"""OpenAI's library, synchronous, in threads."""

import jobs
import openai

import evalworker  # publishing

client = openai.OpenAI(base_url=jobs.MODEL_URL + "/v1", api_key="none")
client = evalworker.wrap(client, **jobs.FIELDS)  # publishing


def ask(kind, question):
    chat = {"model": "small", "messages": [{"role": "user", "content": question}]}
    if kind.endswith("tools"):
        chat["tools"] = [jobs.TOOL]
    if kind.startswith("responses"):
        answer = client.responses.create(model="small", input=question, stream=kind == "responses-stream")
        if kind == "responses-stream":
            assert [event.type for event in answer][-1] == "response.completed"
    elif kind.startswith("stream"):
        chunks = list(client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **chat))
        assert chunks[-1].usage.total_tokens == 17
    elif kind == "cancel":  # left before its end
        with client.chat.completions.create(stream=True, **chat) as stream:
            next(iter(stream))
    elif kind == "error":
        try:
            client.chat.completions.create(**chat)
            raise AssertionError("no error")
        except openai.BadRequestError:
            pass
    else:
        client.chat.completions.create(**chat)
        if kind == "feedback":
            evalworker.feedback(evalworker.last_request_id(), "up")  # rating


jobs.run(ask)
evalworker.flush(30)  # publishing
