"""LangChain, with OpenAI's library below it."""

import jobs
import openai
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI

from evalworker.langchain import CallbackHandler  # publishing

model = ChatOpenAI(model="small", base_url=jobs.MODEL_URL + "/v1", api_key="none", stream_usage=True)
prompt = ChatPromptTemplate.from_messages([("system", "You know parcels."), ("user", "{question}")])
config = {"callbacks": [CallbackHandler(**jobs.FIELDS)]}  # publishing


def ask(kind, question):
    chain = prompt | (model.bind_tools([jobs.TOOL]) if kind == "tools" else model)
    if kind == "stream":
        assert list(chain.stream({"question": question}, config=config))
    elif kind == "error":
        try:
            chain.invoke({"question": question}, config=config)
            raise AssertionError("no error")
        except openai.BadRequestError:
            pass
    else:
        chain.invoke({"question": question}, config=config)


jobs.run(ask)
