"""Applications that test_servers.py lets real servers run. Each request asks a model once."""

import asyncio
import os

import openai

import evalworker

# Events wait for others far longer than the test runs: only what ends a process in order sends them.
evalworker.configure(evalworker.Publisher(linger=600))

options = dict(base_url=os.environ["PROVIDER"] + "/v1", api_key="k" * 8, max_retries=0)
client = evalworker.wrap(openai.OpenAI(**options), feature="wsgi")
async_client = evalworker.wrap(openai.AsyncOpenAI(**options), feature="asgi")

# One event of the process that loads the application: with gunicorn --preload, before it forks.
with evalworker.observe(feature="import"):
    pass


def wsgi(environ, start_response):
    with evalworker.scope(session=environ["PATH_INFO"]):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    answer = f"{os.getpid()} {evalworker.last_request_id()}".encode()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await asyncio.to_thread(evalworker.flush, 5)
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    with evalworker.scope(session=scope["path"]):
        await async_client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    answer = f"{os.getpid()} {evalworker.last_request_id()}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(answer)).encode())]})
    await send({"type": "http.response.body", "body": answer})
