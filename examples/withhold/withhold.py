"""Withholds content at its source: what this leaves out never leaves the process."""

import evalworker

CONTENT = {"input", "output", "expected", "retrieval", "tool_calls", "tools", "comment"}


def prepare(event):
    if event.get("feature") == "internal":
        return None  # is not published at all
    if event.get("feature") == "health":
        event = {name: value for name, value in event.items() if name not in CONTENT}
        event["content_withheld"] = "health"
    return event


evalworker.configure(prepare=prepare)

if __name__ == "__main__":
    for feature in ("internal", "health", "support"):
        with evalworker.observe(feature=feature, input="my question") as call:
            call.output = "the answer"
