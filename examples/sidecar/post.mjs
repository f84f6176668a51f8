// Publishes an event through a sidecar; Node 18 or later, nothing to install.
//
//   emitter serve --brokers kafka:9092 &
//   node post.mjs
//
// or, in a service: import { publish } from "./post.mjs". A server need not await
// publish() before it answers its user; it should catch what it throws.

import { existsSync, realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

const url = (process.env.EMITTER_URL ?? "http://127.0.0.1:8788") + "/v1/events";
const token = process.env.EMITTER_TOKEN;

const wait = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

/** Resolves when the events are safe; rejects when they are not. */
export async function publish(events, { attempts = 5, timeout = 10_000 } = {}) {
  const headers = { "Content-Type": "application/x-ndjson" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const body = events.map((event) => JSON.stringify(event) + "\n").join("");
  for (let attempt = 1; ; attempt++) {
    let response;
    try {
      response = await fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(timeout) });
    } catch (error) {
      if (attempt === attempts) throw error; // the sidecar is away
      await wait(attempt);
      continue;
    }
    const answer = await response.json();
    if (response.status === 202) return answer.accepted;
    // 400 names the bad lines; the good ones were accepted, so trying the same
    // again would only repeat them.
    if (![429, 503].includes(response.status) || attempt === attempts) {
      throw new Error(`${response.status}: ${JSON.stringify(answer)}`);
    }
    await wait(Number(response.headers.get("Retry-After") ?? 1));
  }
}

// Only when it is run as a program: an import publishes nothing.
const program = process.argv[1] ?? "";
if (existsSync(program) && realpathSync(program) === fileURLToPath(import.meta.url)) {
  const accepted = await publish([
    {
      event: "llm_request_completed",
      request_id: "node_1",
      trace_id: "123456789",
      feature: "support_agent",
      prompt_name: "support_triage",
      prompt_version: "2026-06-01.3",
      model: "claude-sonnet-4",
      status: "success",
      latency_ms: 1430,
      input: "Where is my order?",
      output: { reply: "It leaves our warehouse today.", intent: "order_status" },
    },
    { event: "llm_user_feedback", request_id: "node_1", trace_id: "123456789", user_rating: "up" },
  ]);
  console.log("safe:", accepted);
}
