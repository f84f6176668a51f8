'use strict';

const { createHash, createHmac } = require('node:crypto');
const { TooLargeError, plain } = require('./plain.cjs');
const { retrievalOf } = require('./retrieval.cjs');

const words = (text) => text.split(' ');

const TEXTS = words('request_id session_id tenant_id tenant_tier user_id_hash service environment version feature prompt_name prompt_version ' +
  'prompt_variant prompt_environment provider model output_schema');
const RATINGS = words('user_rating user_rating_min user_rating_max task_completed');
const MEASURES = words('estimated_cost_usd cache_hit retry_count streaming input_tokens output_tokens total_tokens llm_latency_ms first_token_latency_ms');
const CONTENT = words('input output expected tools tool_calls retrieval comment');

const SHORT = { session: 'session_id', tenant: 'tenant_id' };
const LONGEST_LABEL = 8192; // characters of a field that stays without content

/** What `wrap`, a scope and a single request may set. `user` is hashed and becomes user_id_hash. */
const SETTABLE = new Set([...TEXTS, ...Object.keys(SHORT), ...RATINGS, 'estimated_cost_usd', 'cache_hit', 'expected', 'tools', 'retrieval', 'trace_context', 'trace_id', 'span_id', 'llmobs', 'user']);

/** What is known only when the request is made. */
const OF_CALL = new Set([...SETTABLE, ...MEASURES, ...CONTENT, 'finish_reason', 'status', 'error_type']);

/** What stays of an event whose content does not go out. */
const BARE = words('event occurred_at status error_type finish_reason trace_context trace_id span_id llmobs').concat(TEXTS, RATINGS, MEASURES);
const BARE_RETRIEVAL = words('index strategy hit_count top_score latency_ms');

/** Throws a TypeError for a name that is none of a field. */
function checkFields(fields, known = SETTABLE) {
  for (const name of Object.keys(fields ?? {})) {
    if (!known.has(name)) throw new TypeError(`evalworker: "${name}" is no field${didYouMean(name, known)}; the fields are ${[...known].sort().join(', ')}`);
  }
}

/**
 * Returns fields as the event has them. One that is unknown or has a value of the wrong kind is left out, and `mistake` is
 * told, so that it costs neither the event nor the request. Throws TooLargeError for content larger than an event may be.
 */
function readFields(fields, mistake, known = SETTABLE) {
  const out = {};
  for (const [given, value] of Object.entries(fields ?? {})) {
    const name = SHORT[given] ?? given;
    if (value === undefined || value === null) continue;
    try {
      if (!known.has(name)) mistake(`"${name.slice(0, 100)}" is no field and is left out${didYouMean(name, known)}`, name.slice(0, 100));
      else if (name === 'user') Object.assign(out, value !== '' && { user_id_hash: hashUser(value) }); // an empty id is no user's
      else if (name === 'retrieval') out.retrieval = plain(retrievalOf(value));
      else if (!TEXTS.includes(name)) out[name] = plain(value);
      else if (/^(string|number|bigint|boolean)$/.test(typeof value)) out[name] = String(value);
      else mistake(`"${name}" has to be a text and is left out`);
    } catch (error) {
      if (error instanceof TooLargeError) throw error;
      mistake(`"${name}" cannot be read and is left out`);
    }
  }
  return out;
}

/**
 * Returns the SHA-256 of a user's id in hexadecimal digits, so that the id itself goes nowhere; with EVALWORKER_USER_KEY it is
 * an HMAC with that key, without which an e-mail address can be found by trying.
 */
function hashUser(id) {
  const key = process.env.EVALWORKER_USER_KEY;
  return (key ? createHmac('sha256', key) : createHash('sha256')).update(String(id)).digest('hex');
}

/** Returns a question that names the known word that is most like another one, or nothing. */
function didYouMean(word, known) {
  const given = word.slice(0, 100).toLowerCase();
  let [nearest, least] = ['', Math.max(2, Math.floor(given.length / 4)) + 1];
  for (const each of known) {
    const n = distance(given, each);
    if (n < Math.min(least, each.length)) [nearest, least] = [each, n];
  }
  return nearest && ` (did you mean "${nearest}"?)`;
}

/** Returns how many letters have to be added, taken away or changed to make one word of the other; two neighbours that change places are two. */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}

/** Returns an event without its content: only fields that are known to hold none stay. */
function withoutContent(event, why) {
  const bare = {};
  for (const name of BARE) {
    if (event[name] !== undefined && !(typeof event[name] === 'string' && event[name].length > LONGEST_LABEL)) bare[name] = event[name];
  }
  if (event.retrieval && typeof event.retrieval === 'object') {
    bare.retrieval = Object.fromEntries(BARE_RETRIEVAL.filter((name) => event.retrieval[name] !== undefined).map((name) => [name, event.retrieval[name]]));
  }
  return { ...bare, content_withheld: why };
}

module.exports = { OF_CALL, checkFields, didYouMean, readFields, withoutContent };
