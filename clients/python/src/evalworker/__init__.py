"""Publishes finished requests to language models to evalworker.

    import evalworker
    from openai import OpenAI

    client = evalworker.wrap(OpenAI(), feature="support", prompt_name="triage", prompt_version="v3")

Every request of the client is an event, sent in the background to the sidecar
(`emitter serve`) at EVALWORKER_URL, http://127.0.0.1:8788 by default.
"""

from typing import Any, Dict

from ._call import Call, configure, feedback, last_request_id, scope
from ._call import default_publisher as publisher
from ._exit import flush_on_sigterm
from ._observe import Observation, current_call, observe
from ._publisher import Publisher
from ._version import __version__
from ._wrap import wrap

__all__ = [
    "Call", "Observation", "Publisher", "__version__", "configure", "current_call", "feedback", "flush", "flush_on_sigterm",
    "last_request_id", "observe", "publisher", "scope", "stats", "wrap",
]  # fmt: skip


def flush(timeout: float = 5.0) -> bool:
    """Waits until the sidecar has everything; for the end of a short-lived process, such as a function.

    Returns False when `timeout` seconds were not enough, or there is no address to send to."""
    try:
        return publisher().flush(timeout)
    except ValueError:  # EVALWORKER_URL is no URL, which is logged with the first event
        return False


def stats() -> Dict[str, Any]:
    """Returns what became of the events of the process: the `stats` of its publisher."""
    return publisher().stats
