"""Publishes an event through a sidecar, with the standard library only.

    emitter serve --brokers kafka:9092 &
    python3 post.py

or, in a service: from post import publish. A service calls it from a thread or a
queue of its own, not while a user waits: the answer comes when the event is safe on
the sidecar's disk.
"""

import json
import os
import time
import urllib.error
import urllib.request

URL = os.environ.get("EMITTER_URL", "http://127.0.0.1:8788") + "/v1/events"
TOKEN = os.environ.get("EMITTER_TOKEN", "")


def publish(*events, attempts=5, timeout=10):
    """Returns when the events are safe; raises when they are not."""
    body = "".join(json.dumps(event) + "\n" for event in events).encode()
    headers = {"Content-Type": "application/x-ndjson"}
    if TOKEN:
        headers["Authorization"] = "Bearer " + TOKEN
    for attempt in range(1, attempts + 1):
        try:
            request = urllib.request.Request(URL, body, headers)
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return json.load(response)["accepted"]
        except urllib.error.HTTPError as error:
            # 400 names the bad lines; the good ones were accepted, so trying the
            # same again would only repeat them.
            if error.code not in (429, 503) or attempt == attempts:
                raise RuntimeError(f"{error.code}: {error.read().decode()}") from error
            wait = int(error.headers.get("Retry-After", "1"))
        except OSError:  # the sidecar is away
            if attempt == attempts:
                raise
            wait = attempt
        time.sleep(wait)


if __name__ == "__main__":
    accepted = publish(
        {
            "event": "llm_request_completed",
            "request_id": "python_1",
            "trace_id": "123456789",
            "feature": "support_agent",
            "prompt_name": "support_triage",
            "prompt_version": "2026-06-01.3",
            "model": "claude-sonnet-4",
            "status": "success",
            "latency_ms": 1430,
            "input": "Where is my order?",
            "output": {"reply": "It leaves our warehouse today.", "intent": "order_status"},
        },
        {"event": "llm_user_feedback", "request_id": "python_1", "trace_id": "123456789", "user_rating": "up"},
    )
    print("safe:", accepted)
