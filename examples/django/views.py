import json

import evalworker
from django.http import JsonResponse
from openai import OpenAI, OpenAIError

model = evalworker.wrap(OpenAI(), feature="support", prompt_name="triage", prompt_version="v3")


def ask(request):
    try:
        completion = model.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": json.loads(request.body)["question"]}]
        )
    except OpenAIError:  # published too, as an error
        return JsonResponse({"error": "the model does not answer"}, status=502)
    return JsonResponse({"answer": completion.choices[0].message.content, "request_id": evalworker.last_request_id()})
