"""Publishes finished requests to language models to evalworker.

    import evalworker
    from openai import OpenAI

    client = evalworker.wrap(OpenAI(), feature="support", prompt_name="triage", prompt_version="v3")

Every request of the client is an event, sent in the background to the sidecar
(`emitter serve`) at EVALWORKER_URL, http://127.0.0.1:8788 by default.
"""

from ._call import Call, configure, feedback, last_request_id, observe, scope
from ._call import default_publisher as publisher
from ._publisher import Publisher
from ._wrap import wrap

__version__ = "0.1.0"
__all__ = ["Call", "Publisher", "configure", "feedback", "flush", "last_request_id", "observe", "publisher", "scope", "wrap"]


def flush(timeout: float = 5.0) -> bool:
    """Waits until the sidecar has everything; for the end of a short-lived process, such as a function."""
    return publisher().flush(timeout)
