"""A LangChain callback handler: `model.invoke(..., config={"callbacks": [CallbackHandler()]})`."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, Dict, List, Optional

from langchain_core.callbacks import BaseCallbackHandler

from ._answers import record_usage
from ._call import Call, contained
from ._event import check_fields, event_fields
from ._retrieval import retrieval_of

_MOST_RUNS = 10_000  # runs under way; the oldest is forgotten, because its end was never told


class CallbackHandler(BaseCallbackHandler):
    """Publishes every request to a chat model or an LLM of a chain; one handler serves all
    threads and tasks. Fields are those of `evalworker.wrap`; what retrievers found on the way
    to a request of the same chain is in its event."""

    raise_error = False
    run_inline = True  # it never waits, and so sees the scope of the request

    def __init__(self, **fields: Any) -> None:
        check_fields(fields)
        self._fields = event_fields(fields)
        self._lock = threading.Lock()
        self._calls: "OrderedDict[Any, Call]" = OrderedDict()
        self._found: "OrderedDict[Any, Dict[str, Any]]" = OrderedDict()  # by the chain that it was found in
        self._parents: "OrderedDict[Any, Any]" = OrderedDict()  # of the chains that run

    def on_chat_model_start(self, serialized: Any, messages: List[List[Any]], *, run_id: Any, parent_run_id: Any = None, **kwargs: Any) -> None:
        self._begin(run_id, parent_run_id, messages[0] if messages else [], kwargs)

    def on_llm_start(self, serialized: Any, prompts: List[str], *, run_id: Any, parent_run_id: Any = None, **kwargs: Any) -> None:
        self._begin(run_id, parent_run_id, prompts[0] if prompts else "", kwargs)

    def _begin(self, run_id: Any, parent: Any, asked: Any, kwargs: Dict[str, Any]) -> None:
        try:
            call = Call({}, self._fields)
            call.keep("input", asked)
            params = kwargs.get("invocation_params") or {}
            metadata = kwargs.get("metadata") or {}
            call.event.setdefault("model", metadata.get("ls_model_name") or params.get("model") or params.get("model_name"))
            call.event.setdefault("provider", metadata.get("ls_provider"))
            if params.get("tools"):
                call.keep("tools", params["tools"])
            with self._lock:
                while parent is not None and parent not in self._found:
                    parent = self._parents.get(parent)
                found = self._found.get(parent)
                if found:
                    call.event.setdefault("retrieval", found)
                self._calls[run_id] = call
                while len(self._calls) > _MOST_RUNS:
                    self._calls.popitem(last=False)
        except Exception as problem:
            contained("a request is not published", problem)

    def on_llm_new_token(self, token: Any, *, run_id: Any, **kwargs: Any) -> None:
        with self._lock:
            call = self._calls.get(run_id)
        if call is not None:
            call.event["streaming"] = True
            call.first_token()

    def on_llm_end(self, response: Any, *, run_id: Any, **kwargs: Any) -> None:
        self._end(run_id, response, None)

    def on_llm_error(self, error: BaseException, *, run_id: Any, **kwargs: Any) -> None:
        self._end(run_id, kwargs.get("response"), error)

    def _end(self, run_id: Any, response: Any, error: Optional[BaseException]) -> None:
        with self._lock:
            call = self._calls.pop(run_id, None)
        if call is None:
            return
        try:
            generation = response.generations[0][0] if response is not None and response.generations and response.generations[0] else None
            message = getattr(generation, "message", None)
            if message is not None:
                call.event["output"] = message
                record_usage(call, getattr(message, "usage_metadata", None))
                meta = getattr(message, "response_metadata", None) or {}
                for field, names in {"finish_reason": ("finish_reason", "stop_reason"), "model": ("model_name", "model")}.items():
                    for name in names:
                        if isinstance(meta.get(name), str):
                            call.event[field] = meta[name]
                            break
            elif generation is not None:
                call.event["output"] = generation.text
                record_usage(call, (response.llm_output or {}).get("token_usage"))
            call.finish(error)
        except Exception as problem:
            contained("a request is not published", problem)

    def on_retriever_start(self, serialized: Any, query: str, *, run_id: Any, parent_run_id: Any = None, **kwargs: Any) -> None:
        with self._lock:
            self._found[run_id] = {"query": query}

    def on_retriever_end(self, documents: Any, *, run_id: Any, parent_run_id: Any = None, **kwargs: Any) -> None:
        try:
            retrieval = retrieval_of(documents) or {}
        except Exception as problem:
            contained("what was retrieved is left out", problem)
            return
        with self._lock:
            found = {**self._found.pop(run_id, {}), **retrieval}
            if parent_run_id is not None:  # else no request follows in a chain
                self._found[parent_run_id] = found
            while len(self._found) > _MOST_RUNS:
                self._found.popitem(last=False)

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: Any, parent_run_id: Any = None, **kwargs: Any) -> None:
        with self._lock:
            self._parents[run_id] = parent_run_id
            while len(self._parents) > _MOST_RUNS:
                self._parents.popitem(last=False)

    def on_chain_end(self, outputs: Any, *, run_id: Any, parent_run_id: Any = None, **kwargs: Any) -> None:
        # What was found inside a part of a chain, such as a branch that retrieves, belongs to
        # the chain around it from now on; when the whole chain ends nobody needs it.
        with self._lock:
            self._parents.pop(run_id, None)
            found = self._found.pop(run_id, None)
            if found is not None and parent_run_id is not None:
                self._found[parent_run_id] = found

    def on_chain_error(self, error: BaseException, *, run_id: Any, **kwargs: Any) -> None:
        with self._lock:
            self._parents.pop(run_id, None)
            self._found.pop(run_id, None)

    def on_retriever_error(self, error: BaseException, *, run_id: Any, **kwargs: Any) -> None:
        with self._lock:
            self._found.pop(run_id, None)
