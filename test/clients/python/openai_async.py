"""OpenAI's library, asynchronous, in tasks."""

import asyncio

import jobs
import openai

import evalworker  # publishing

client = openai.AsyncOpenAI(base_url=jobs.MODEL_URL + "/v1", api_key="none")
client = evalworker.wrap(client, **jobs.FIELDS)  # publishing


async def ask(kind, question):
    chat = {"model": "small", "messages": [{"role": "user", "content": question}]}
    if kind.endswith("tools"):
        chat["tools"] = [jobs.TOOL]
    if kind.startswith("stream"):
        stream = await client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **chat)
        assert [chunk async for chunk in stream][-1].usage.total_tokens == 17
    elif kind == "cancel":
        task = asyncio.create_task(client.chat.completions.create(**chat))
        await asyncio.sleep(0.05)
        task.cancel()
        try:
            await task
            raise AssertionError("no error")
        except asyncio.CancelledError:
            pass
    elif kind == "error":
        try:
            await client.chat.completions.create(**chat)
            raise AssertionError("no error")
        except openai.BadRequestError:
            pass
    else:
        await client.chat.completions.create(**chat)


async def main():
    waiting = iter(jobs.load())

    async def work():
        for job in waiting:
            with jobs.span(job["traceparent"]):
                await ask(job["kind"], job["question"])

    await asyncio.gather(*(work() for _ in range(8)))


asyncio.run(main())
evalworker.flush(30)  # publishing
