#!/bin/sh
# Publishes events through a sidecar with curl: one event, then several as lines.
#
#   emitter serve --brokers kafka:9092 &
#   sh post.sh
#
# 202 means that the events are safe. 429 and 503 mean to try again after
# Retry-After, which --retry does. A sidecar with a token needs EMITTER_TOKEN.
set -eu
url=${EMITTER_URL:-http://127.0.0.1:8788}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# In a file of its own the token does not show in the list of processes.
(umask 077 && printf 'Authorization: Bearer %s\n' "${EMITTER_TOKEN:-}" >"$work/headers")

post() { # TYPE FILE
  curl --silent --show-error --fail-with-body --max-time 10 --retry 5 --retry-connrefused \
    --header @"$work/headers" --header "Content-Type: $1" --data-binary @"$2" "$url/v1/events"
}

cat >"$work/event.json" <<'JSON'
{
  "event": "llm_request_completed",
  "request_id": "curl_1",
  "trace_id": "123456789",
  "feature": "support_agent",
  "status": "success",
  "latency_ms": 1430,
  "input": "Where is my order?",
  "output": "It leaves our warehouse today."
}
JSON
post application/json "$work/event.json"

cat >"$work/events.ndjson" <<'NDJSON'
{"event":"llm_request_completed","request_id":"curl_2","trace_id":"123456789","feature":"support_agent","output":"You are welcome."}
{"event":"llm_user_feedback","request_id":"curl_2","trace_id":"123456789","user_rating":"up"}
NDJSON
post application/x-ndjson "$work/events.ndjson"
