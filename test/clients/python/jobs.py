"""What all programs share and what has nothing to do with publishing: the requests to make, and a span for each."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from opentelemetry import context, propagate

MODEL_URL = os.environ["MODEL_URL"]
FIELDS = {"feature": "parcels", "prompt_name": os.environ["PROGRAM"], "prompt_version": "v1", "user": os.environ["USER_ID"]}
TOOL = {"type": "function", "function": {"name": "lookup", "parameters": {"type": "object", "properties": {"parcel": {"type": "string"}}}}}


def load():
    with open(os.environ["JOBS"]) as file:
        return json.load(file)


@contextmanager
def span(traceparent):
    """Makes a span active, as a tracer does for the request that an application serves."""
    token = context.attach(propagate.extract({"traceparent": traceparent}))
    try:
        yield
    finally:
        context.detach(token)


def run(ask, threads=8):
    """Makes all requests; what a request raises and is not meant to ends the program."""

    def one(job):
        with span(job["traceparent"]):
            ask(job["kind"], job["question"])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, load()))
