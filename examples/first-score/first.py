"""Publishes two answers of a model. The dict stands in for your model."""

import json

import evalworker

ANSWERS = {
    "Where is my parcel?": json.dumps(
        {"answer": "It arrives today.", "category": "shipping", "confidence": 0.9, "citations": [], "needs_human": False}
    ),
    "May I send it back?": "Yes, within 30 days.",  # not the JSON that was asked for
}

for question, answer in ANSWERS.items():
    with evalworker.observe(prompt_name="first_python", prompt_version="v1", input=question) as call:
        call.output = answer

evalworker.flush(5)
print("accepted:", evalworker.publisher().stats["accepted"])
