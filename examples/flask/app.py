"""Flask: gunicorn --workers 2 --preload app:app"""

from contextlib import ExitStack

import evalworker
from flask import Flask, g, request
from openai import OpenAI, OpenAIError

app = Flask(__name__)
model = evalworker.wrap(OpenAI(), feature="support", prompt_name="triage", prompt_version="v3")


@app.before_request
def enter_scope():
    g.evalworker = ExitStack()
    g.evalworker.enter_context(evalworker.scope(session=request.headers.get("x-session"), user=request.headers.get("x-user")))


@app.teardown_request
def leave_scope(error):
    if "evalworker" in g:
        g.evalworker.close()


@app.post("/ask")
def ask():
    try:
        completion = model.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": request.json["question"]}]
        )
    except OpenAIError:  # published too, as an error
        return {"error": "the model does not answer"}, 502
    return {"answer": completion.choices[0].message.content, "request_id": evalworker.last_request_id()}
