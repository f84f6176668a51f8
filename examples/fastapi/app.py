"""FastAPI: uvicorn app:app --port 8000"""

import asyncio
from contextlib import asynccontextmanager

import evalworker
from fastapi import FastAPI, HTTPException, Request
from openai import AsyncOpenAI, OpenAIError
from pydantic import BaseModel


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.model = evalworker.wrap(AsyncOpenAI(), feature="support", prompt_name="triage", prompt_version="v3")
    yield
    await asyncio.to_thread(evalworker.flush, 5)  # after SIGTERM, when the last request has ended


app = FastAPI(lifespan=lifespan)


@app.middleware("http")
async def evalworker_scope(request: Request, call_next):
    with evalworker.scope(session=request.headers.get("x-session"), user=request.headers.get("x-user")):
        return await call_next(request)


class Question(BaseModel):
    question: str


@app.post("/ask")
async def ask(body: Question, request: Request):
    try:
        completion = await request.app.state.model.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": body.question}]
        )
    except OpenAIError as error:  # published too, as an error
        raise HTTPException(502, "the model does not answer") from error
    return {"answer": completion.choices[0].message.content, "request_id": evalworker.last_request_id()}
