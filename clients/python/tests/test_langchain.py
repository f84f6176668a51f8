import asyncio

import pytest
from conftest import as_json, as_stream
from langchain_core.documents import Document
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda, RunnableParallel, RunnablePassthrough

import evalworker
from evalworker.langchain import CallbackHandler


class Shelf(BaseRetriever):
    def _get_relevant_documents(self, query, *, run_manager):
        return [Document(page_content="It is in Graz.", id="d7", metadata={"score": 0.9})]


def model(*answers):
    return GenericFakeChatModel(messages=iter(answers))


def test_invoke(one_event):
    answer = AIMessage(content="In Graz.", usage_metadata={"input_tokens": 4, "output_tokens": 2, "total_tokens": 6}, response_metadata={"finish_reason": "stop", "model_name": "m1"})
    model(answer).invoke("Where?", config={"callbacks": [CallbackHandler(prompt_name="triage")]})
    event = one_event()
    assert event["output"]["content"] == "In Graz." and event["input"][0]["content"] == "Where?"
    assert (event["prompt_name"], event["input_tokens"], event["finish_reason"], event["model"]) == ("triage", 4, "stop", "m1")


def test_stream(one_event):
    assert "".join(c.content for c in model("It is in Graz.").stream("Where?", config={"callbacks": [CallbackHandler()]})) == "It is in Graz."
    event = one_event()
    assert event["output"]["content"] == "It is in Graz." and event["streaming"] and event["first_token_latency_ms"] >= 0


def test_error(one_event):
    class Broken(GenericFakeChatModel):
        def _generate(self, *_, **__):
            raise TimeoutError("late")

    try:
        Broken(messages=iter([])).invoke("Where?", config={"callbacks": [CallbackHandler()]})
    except TimeoutError:
        pass
    event = one_event()
    assert (event["status"], event["error_type"]) == ("error", "timeout")


def test_retrieval_of_the_same_chain(one_event):
    chain = Shelf() | (lambda documents: documents[0].page_content) | model("In Graz.")
    handler = CallbackHandler()
    chain.invoke("Where?", config={"callbacks": [handler]})
    assert not handler._found  # passages are not kept beyond their chain
    event = one_event()
    assert event["retrieval"]["query"] == "Where?" and event["retrieval"]["top_score"] == 0.9
    assert event["retrieval"]["chunks"] == [{"id": "d7", "text": "It is in Graz.", "score": 0.9}]


def test_retrieval_in_a_branch(one_event):
    """The usual form: {"context": retriever, ...} | prompt | model."""
    chain = RunnableParallel(context=Shelf(), question=RunnablePassthrough()) | (lambda both: both["context"][0].page_content) | model("In Graz.")
    handler = CallbackHandler()
    chain.invoke("Where?", config={"callbacks": [handler]})
    assert one_event()["retrieval"]["chunks"] == [{"id": "d7", "text": "It is in Graz.", "score": 0.9}]
    assert not handler._found and not handler._parents


def test_retrieval_in_one_part_and_request_in_another(one_event):
    """As in a graph, whose nodes are chains of their own."""
    find = RunnableLambda(lambda question: Shelf().invoke(question)[0].page_content)
    ask = RunnableLambda(lambda text: model("In Graz.").invoke(text))
    handler = CallbackHandler()
    (find | ask).invoke("Where?", config={"callbacks": [handler]})
    assert one_event()["retrieval"]["top_score"] == 0.9
    assert not handler._found and not handler._parents


def test_retrieval_that_no_request_follows(sidecar):
    class Broken(Shelf):
        def _get_relevant_documents(self, query, *, run_manager):
            raise OSError("away")

    handler = CallbackHandler()
    Shelf().invoke("Where?", config={"callbacks": [handler]})
    for chain in (Broken(), Broken() | (lambda documents: documents), Shelf() | (lambda documents: documents[1])):
        with pytest.raises((OSError, IndexError)):
            chain.invoke("Where?", config={"callbacks": [handler]})
    assert not handler._found and not handler._parents


def openai_model(provider, **options):
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(base_url=provider.url + "/v1", api_key="k" * 8, model="gpt-5", max_retries=options.pop("max_retries", 0), **options)


@pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream"])
def test_a_real_model(provider, one_event, how):
    from test_wrap import CHAT, CHUNKS

    answer = {**CHAT, "choices": [{**CHAT["choices"][0], "message": {**CHAT["choices"][0]["message"], "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": "{}"}}]}}]}
    provider.answers.append(as_stream(CHUNKS) if how == "stream" else as_json(answer))
    config = {"callbacks": [CallbackHandler(prompt_name="triage", tenant="t1")]}
    model = openai_model(provider, stream_usage=True)
    with evalworker.scope(session="s1", user="ada"):
        if how == "stream":
            list(model.stream("Where?", config=config))
        elif how == "invoke":
            model.invoke("Where?", config=config)
        else:
            asyncio.run(model.ainvoke("Where?", config=config))
    event = one_event()
    assert event["input"][0]["content"] == "Where?" and event["output"]["content"] == "Looking."
    want = dict(model="gpt-5-2026", provider="openai", finish_reason="tool_calls", input_tokens=12, output_tokens=5, total_tokens=17, status="success",
                prompt_name="triage", tenant_id="t1", session_id="s1")  # fmt: skip
    assert {name: event.get(name) for name in want} == want and len(event["user_id_hash"]) == 64
    call = (event["output"]["tool_calls"] + event["output"]["invalid_tool_calls"])[0]
    assert (call["name"], call["id"]) == ("lookup", "c1")
    assert event.get("streaming", False) == (how == "stream")


def test_a_real_model_that_is_busy(provider, one_event):
    import openai

    provider.answers.append((429, "application/json", b'{"error":{"message":"slow down"}}'))
    with pytest.raises(openai.RateLimitError):
        openai_model(provider).invoke("Where?", config={"callbacks": [CallbackHandler()]})
    event = one_event()
    assert event["status"] == "error" and event["error_type"].endswith("RateLimitError") and event["input"][0]["content"] == "Where?"


def test_documents_that_cannot_be_read(one_event):
    handler = CallbackHandler()

    class Odd:
        def __getattr__(self, name):
            raise KeyError(name)

    handler.on_retriever_start({}, "q", run_id="r")
    handler.on_retriever_end([Odd()], run_id="r", parent_run_id="p")
    assert evalworker.publisher().stats["errors"] == 1
