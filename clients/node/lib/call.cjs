'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');
const { randomUUID } = require('node:crypto');
const { OF_CALL, checkFields, didYouMean, readFields } = require('./fields.cjs');
const { TooLargeError } = require('./plain.cjs');
const { Publisher } = require('./publisher.cjs');
const { traceContext } = require('./trace.cjs');

const scopes = new AsyncLocalStorage();
const current = new AsyncLocalStorage(); // the call that a library makes requests for
const ids = new WeakMap(); // of answers: their request ids

let shared; // the publisher of the process
let options = {}; // of it
let base; // fields of all its events

const publisher = () => (shared ??= new Publisher());
const mistake = (text, about) => publisher().mistake(text, about);

const REPEATED = ['prompt_name', 'prompt_version', 'feature', 'session_id', 'tenant_id', 'user_id_hash', 'environment', 'service', 'trace_context'];
const MOST_REMEMBERED = 1000;
const LONGEST_REMEMBERED = 512; // characters
const remembered = new Map(); // by the id of the request: what feedback on it repeats

/** Sets the publisher of the process, by its options or as it is, and fields of all its events. What was set before stays, unless it is set again. */
function configure({ publisher: given, ...settings } = {}) {
  const own = {};
  const fields = {};
  for (const [name, value] of Object.entries(settings)) (PUBLISHER_OPTIONS.has(name) ? own : fields)[name] = value;
  checkFields(fields);
  if (given) shared = given;
  else if (Object.keys(own).length > 0) {
    const next = new Publisher({ ...options, ...own });
    options = { ...options, ...own };
    shared = next; // the one before sends what it has
  }
  base = { ...identity(), ...readFields(fields, mistake) };
  return publisher();
}

const PUBLISHER_OPTIONS = new Set(['url', 'token', 'maxEvents', 'maxBytes', 'maxEventBytes', 'timeout', 'linger', 'exitTimeout', 'prepare', 'logger']);

function identity() {
  if (base) return base;
  const { DD_SERVICE: service, DD_ENV: environment, DD_VERSION: version } = process.env;
  return (base = { ...(service && { service }), ...(environment && { environment }), ...(version && { version }) });
}

/** Reads fields of a single request or scope; a mistake in them must not fail the request. */
function lenient(fields, known) {
  try {
    return readFields(fields, mistake, known);
  } catch {
    mistake('fields are larger than an event may be and are left out');
    return {};
  }
}

/** Runs fn; the fields hold for all requests inside, also behind awaits. Scopes nest. A request_id is that of the first request. */
function scope(fields, fn) {
  const { request_id, ...own } = lenient(fields);
  const outer = scopes.getStore();
  return scopes.run({ fields: { ...outer?.fields, ...own }, id: request_id ? { next: request_id } : outer?.id }, fn);
}

/**
 * Publishes what a user thought of an answer: "up", "down", or a number with its `max`. The event repeats the prompt, session,
 * tenant, user and the like of the request, when it is one of the last 1,000 that this process published; fields go before them.
 */
function feedback(requestId, rating, { comment, max, min, ...fields } = {}) {
  if (typeof requestId !== 'string' && typeof requestId !== 'number') {
    mistake('feedback without the id of a request is left out');
    return false;
  }
  if (typeof rating === 'string' && !isRating(rating)) { // which may be what the user wrote, and is not told
    mistake(`a rating is a word that the worker cannot read${didYouMean(rating, RATINGS)}; it knows ${RATINGS.join(', ')}, 4/5, ★★★★☆, and a number with max`, 'rating');
  }
  return publisher().publish({
    event: 'llm_user_feedback',
    ...identity(),
    ...scopes.getStore()?.fields,
    ...remembered.get(String(requestId)),
    ...lenient(fields, OF_CALL),
    request_id: String(requestId),
    occurred_at: new Date().toISOString(),
    user_rating: rating,
    user_rating_min: min,
    user_rating_max: max,
    comment,
  });
}

const RATINGS = 'up thumbs_up like positive good helpful upvote +1 👍 true down thumbs_down dislike negative bad unhelpful downvote -1 👎 false'.split(' ');
const SEPARATORS = /[ _:\ufe0f\u{1f3fb}-\u{1f3ff}-]/gu; // of words, and what only changes how an emoji is drawn
const WORDS = new Set([...RATINGS, 'thumb_up', 'thumb_down', 'liked', 'disliked', 'not_helpful', 'upvoted', 'downvoted'].map((word) => word.replace(SEPARATORS, '')));
const NUMBER = /^([+-]?[\d.]+(e[+-]?\d+)?(\s*\/\s*[\d.]+)?|[★⭐☆]{1,10})$/;

/** Tells whether the worker may read a text as a rating. */
function isRating(given) {
  const text = given.trim().toLowerCase();
  return text === '' || WORDS.has(text.replace(SEPARATORS, '')) || NUMBER.test(text.replaceAll('\ufe0f', ''));
}

/** Keeps what feedback on a request repeats, so that it counts for the prompt also when it arrives before the request, or at a worker that never sees that. */
function remember(event) {
  const known = {};
  for (const name of REPEATED) {
    const value = event[name];
    if (value !== undefined && (JSON.stringify(value)?.length ?? Infinity) <= LONGEST_REMEMBERED) known[name] = value;
  }
  remembered.delete(event.request_id);
  remembered.set(event.request_id, known);
  if (remembered.size > MOST_REMEMBERED) remembered.delete(remembered.keys().next().value);
}

/** Returns the request id of an answer or a stream of a wrapped client, for feedback. */
const requestId = (answer) => ids.get(answer);

/** One request that is under way. `finish` publishes it, once. */
class Call {
  #began = performance.now();
  #event;
  #withheld; // why content stays behind
  #over = false;

  /** What is nearest to the request counts: the process, then the client (defaults), the scope, the request (fields). */
  constructor(fields, defaults) {
    const scoped = scopes.getStore();
    this.#event = { event: 'llm_request_completed', ...identity(), ...defaults, ...scoped?.fields };
    this.set(fields);
    const event = this.#event;
    if (!event.request_id) {
      event.request_id = scoped?.id?.next ?? 'req_' + randomUUID().replaceAll('-', '');
      if (scoped?.id) scoped.id.next = undefined; // two requests with one id would count as one
    }
    event.trace_context ??= traceContext();
  }

  get requestId() {
    return this.#event.request_id;
  }

  /** Remembers the request id of an answer, for requestId. */
  isOf(answer) {
    if (answer !== null && typeof answer === 'object') ids.set(answer, this.requestId);
  }

  has(name) {
    return this.#event[name] !== undefined;
  }

  /** Sets fields of the event, such as output, input_tokens or retrieval. Later changes of their values do not count. */
  set(fields) {
    if (this.#over) return this;
    try {
      Object.assign(this.#event, readFields(fields, mistake, OF_CALL));
    } catch (error) {
      if (!(error instanceof TooLargeError)) throw error;
      this.withhold('too_large');
      const rest = Object.entries(fields).filter(([, value]) => typeof value !== 'object' && String(value).length < 1000);
      Object.assign(this.#event, readFields(Object.fromEntries(rest), mistake, OF_CALL));
    }
    return this;
  }

  /** Lets the event go without its content. */
  withhold(why) {
    this.#withheld = why;
  }

  /** Notes that the first piece of a streamed answer is there. */
  firstToken() {
    this.#event.first_token_latency_ms ??= this.elapsed();
  }

  /** Returns the milliseconds since the request began. */
  elapsed() {
    return Math.round((performance.now() - this.#began) * 1000) / 1000;
  }

  /** Publishes a request that has thrown, be it undefined. */
  fail(error) {
    this.finish(error ?? new Error('unknown'));
  }

  finish(error) {
    if (this.#over) return;
    this.#over = true;
    const event = this.#event;
    event.llm_latency_ms ??= this.elapsed();
    event.occurred_at = new Date().toISOString();
    if (error !== undefined) {
      event.status = 'error';
      event.error_type = errorType(error);
    }
    event.status ??= 'success';
    remember(event);
    publisher().take(event, this.#withheld);
  }
}

/** Returns the error of a request whose end nobody waited for. */
const cancelled = () => Object.assign(new Error('left early'), { name: 'CancelledError' });

/** Returns the class of an error; its text may hold content. */
function errorType(error) {
  const name = error?.name && error.name !== 'Error' ? error.name : error?.constructor?.name ?? 'Error';
  if (/timeout/i.test(name)) return 'timeout';
  if (/abort|cancel/i.test(name)) return 'cancelled';
  return String(name);
}

module.exports = { Call, cancelled, configure, current, feedback, lenient, mistake, publisher, requestId, scope };
