"""A WSGI application for gunicorn, loaded before its workers are forked. It has no end of its own: what waits when a
worker is stopped is sent by the client."""

import jobs
import openai

import evalworker  # publishing

client = openai.OpenAI(base_url=jobs.MODEL_URL + "/v1", api_key="none")
client = evalworker.wrap(client, **jobs.FIELDS)  # publishing


def application(environ, start_response):
    question = environ["wsgi.input"].read().decode()
    with jobs.span(environ["HTTP_TRACEPARENT"]):
        try:
            answer = client.chat.completions.create(model="small", messages=[{"role": "user", "content": question}])
            status, text = "200 OK", answer.choices[0].message.content
        except openai.BadRequestError:
            status, text = "422 Unprocessable Content", ""
    start_response(status, [("Content-Type", "text/plain")])
    return [text.encode()]
