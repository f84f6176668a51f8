'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');
const { randomUUID } = require('node:crypto');
const { Publisher, encode } = require('./publisher.cjs');

/** Fields that a scope, `wrap` and a single request may set; the names are those of the event. */
const FIELDS = new Set(
  ('request_id session_id tenant_id tenant_tier user_id_hash service environment version feature prompt_name prompt_version ' +
    'prompt_variant prompt_environment provider model output_schema expected retrieval tools user_rating user_rating_min user_rating_max ' +
    'task_completed estimated_cost_usd cache_hit trace_context').split(' '),
);

const scopes = new AsyncLocalStorage();
const current = new AsyncLocalStorage(); // the call that the library makes requests for

let shared; // the publisher of the process
let base = {};

function checkFields(fields) {
  for (const name of Object.keys(fields ?? {})) {
    if (!FIELDS.has(name)) throw new TypeError(`evalworker: "${name}" is no field; the fields are ${[...FIELDS].sort().join(', ')}`);
  }
}

/** Returns the fields of a single request without those that are none: a mistake there must not fail the request. */
function knownFields(fields) {
  const unknown = Object.keys(fields ?? {}).find((name) => !FIELDS.has(name));
  if (unknown) console.warn(`evalworker: "${unknown}" is no field and is left out`);
  return Object.fromEntries(Object.entries(fields ?? {}).filter(([name]) => FIELDS.has(name)));
}

function publisher() {
  return (shared ??= new Publisher());
}

/** Publishes an event. It never throws, even when the address of the sidecar is no URL. */
function publish(event) {
  try {
    return publisher().publish(event);
  } catch (error) {
    console.warn(`evalworker: a request is not published: ${error?.message}`);
    return false;
  }
}

function configure({ publisher: own, ...fields } = {}) {
  checkFields(fields);
  if (own) shared = own;
  base = { ...base, ...fields };
  return publisher();
}

/** Runs fn; the fields hold for all requests inside, also behind awaits. Scopes nest. */
function scope(fields, fn) {
  checkFields(fields);
  return scopes.run({ ...scopes.getStore(), ...fields }, fn);
}

function identity() {
  const { DD_SERVICE: service, DD_ENV: environment, DD_VERSION: version } = process.env;
  return { ...(service && { service }), ...(environment && { environment }), ...(version && { version }), ...base };
}

/** Publishes what a user thought of an answer: "up", "down", or a number with its `max`. */
function feedback(request_id, rating, { comment, max, ...fields } = {}) {
  return publish({
    event: 'llm_user_feedback',
    ...identity(),
    ...scopes.getStore(),
    ...fields,
    request_id,
    occurred_at: new Date().toISOString(),
    user_rating: rating,
    user_rating_max: max,
    comment,
  });
}

/** One request that is under way. `finish` publishes it, once. */
class Call {
  #began = performance.now();
  #done = false;

  constructor(fields, defaults) {
    // What is nearest to the request counts: the process, then the client, the scope, the request.
    this.event = { event: 'llm_request_completed', ...identity(), ...defaults, ...scopes.getStore(), ...fields };
    this.event.request_id ??= 'req_' + randomUUID().replaceAll('-', '');
    this.event.trace_context ??= traceContext();
  }

  get requestId() {
    return this.event.request_id;
  }

  firstToken() {
    this.event.first_token_latency_ms ??= this.#elapsed();
  }

  #elapsed() {
    return Math.round((performance.now() - this.#began) * 1000) / 1000;
  }

  finish(error) {
    if (this.#done) return;
    this.#done = true;
    const event = this.event;
    event.llm_latency_ms ??= this.#elapsed();
    event.occurred_at = new Date().toISOString();
    if (error !== undefined) {
      event.status = 'error';
      event.error_type = errorType(error);
    }
    event.status ??= 'success';
    publish(event);
  }
}

function errorType(error) {
  const name = error?.name && error.name !== 'Error' ? error.name : error?.constructor?.name ?? 'Error';
  if (/abort|cancel/i.test(name)) return 'cancelled';
  if (/timeout/i.test(name)) return 'timeout';
  return name;
}

/** Returns a copy of what an application may change after the call, such as its list of messages. */
function snapshot(value) {
  try {
    return JSON.parse(encode(value));
  } catch {
    return undefined;
  }
}

/** Returns the headers of the active span of Datadog's or OpenTelemetry's tracer, when one of them is loaded. */
function traceContext() {
  const headers = {};
  try {
    const tracer = globalThis._ddtrace ?? loaded('dd-trace');
    const span = tracer?.scope?.()?.active?.();
    if (span) tracer.inject(span.context(), 'http_headers', headers);
    if (Object.keys(headers).length === 0) {
      const api = loaded('@opentelemetry/api');
      api?.propagation.inject(api.context.active(), headers);
    }
  } catch {
    return undefined; // a tracer that is half set up must not reach the request
  }
  return Object.keys(headers).length > 0 ? headers : undefined;
}

const LOOK_EVERY = 10_000; // milliseconds; a look at some thousand modules takes one or two
const found = new Map(); // by name: the module, and when it was looked for

/** Returns a module of the application that is loaded already; loads nothing. */
function loaded(name) {
  const last = found.get(name);
  if (last && (last.module || performance.now() - last.at < LOOK_EVERY)) return last.module;
  const module = lookFor(name);
  found.set(name, { module, at: performance.now() });
  return module;
}

function lookFor(name) {
  const inside = `/node_modules/${name}/`;
  for (const path in require.cache) {
    if (path.replaceAll('\\', '/').includes(inside)) {
      try {
        return require(require.resolve(name, { paths: [path, process.cwd()] }));
      } catch {
        return undefined;
      }
    }
  }
  return undefined;
}

/**
 * Publishes a request that no wrapper sees:
 * `await observe({ prompt_name: 'triage', input }, async (call) => (call.event.output = await ask(input)))`.
 */
async function observe({ input, ...fields }, fn) {
  checkFields(fields);
  const call = new Call({ ...fields, input: snapshot(input) });
  try {
    const result = await fn(call);
    if (call.event.output === undefined) call.event.output = snapshot(result);
    call.finish();
    return result;
  } catch (error) {
    call.finish(error);
    throw error;
  }
}

module.exports = { Call, checkFields, configure, current, feedback, knownFields, observe, publisher, scope, snapshot, FIELDS };
