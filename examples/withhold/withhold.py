"""Withholds content at its source: what this leaves out never leaves the process."""

import evalworker

CONTENT = {"input", "output", "expected", "retrieval", "tool_calls", "tools", "comment"}


class Withholding(evalworker.Publisher):
    """Publishes no content of requests that concern health."""

    def publish(self, event):
        if event.get("feature") == "health":
            event = {name: value for name, value in event.items() if name not in CONTENT}
        return super().publish(event)


evalworker.configure(publisher=Withholding())

if __name__ == "__main__":
    for feature in ("health", "support"):
        with evalworker.observe(feature=feature, input="my question") as call:
            call.output = "the answer"
