import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { TraceFlags, context, createTraceState, trace } from '@opentelemetry/api';
import * as evalworker from '../index.mjs';
import { serveSidecar } from './support/servers.mjs';

async function start(t) {
  const sidecar = await serveSidecar(t);
  evalworker.configure({ url: sidecar.url, linger: 1 });
  return async (n = 1) => {
    assert.equal(await evalworker.flush(10_000), true);
    const events = sidecar.events();
    assert.equal(events.length, n, JSON.stringify(events));
    return n === 1 ? events[0] : events;
  };
}

test('a function, its promise and their errors', async (t) => {
  const published = await start(t);
  assert.equal(evalworker.observe(() => 'sync', { input: 'Hi', prompt_name: 'p' }), 'sync');
  assert.equal(await evalworker.observe(async (call) => (call.set({ output: 'own', input_tokens: 3, total_tokens: 4 }), 'async')), 'async');
  assert.throws(() => evalworker.observe(() => { throw new RangeError('x'); }), RangeError);
  await assert.rejects(evalworker.observe(async () => { throw Object.assign(new Error('x'), { name: 'AbortError' }); }));
  await assert.rejects(evalworker.observe(() => Promise.reject()), (error) => error === undefined);
  assert.throws(() => evalworker.observe({ prompt_name: 'p' }, () => 1), TypeError);
  const events = await published(5);
  assert.deepEqual(events.map((e) => [e.output, e.status, e.error_type]), [
    ['sync', 'success', undefined], ['own', 'success', undefined], [undefined, 'error', 'RangeError'], [undefined, 'error', 'cancelled'], [undefined, 'error', 'Error'],
  ]);
  assert.deepEqual([events[0].input, events[0].prompt_name, events[1].input_tokens, events[1].total_tokens], ['Hi', 'p', 3, 4]);
});

test('async generators, iterables and ReadableStreams', async (t) => {
  const published = await start(t);
  async function* words() {
    yield 'Hel';
    yield 'lo.';
  }
  const read = async (stream, most = Infinity) => {
    const pieces = [];
    for await (const piece of stream) if (pieces.push(piece) >= most) break;
    return pieces;
  };
  const iterable = { [Symbol.asyncIterator]: words, other: 1 };
  const bytes = () => new ReadableStream({ start: (c) => (['Hel', 'lo.'].forEach((w) => c.enqueue(new TextEncoder().encode(w))), c.close()) });
  assert.deepEqual(await read(evalworker.observe(words)), ['Hel', 'lo.']);
  assert.deepEqual(await read(evalworker.observe(words), 1), ['Hel']);
  const same = await evalworker.observe(async () => iterable);
  assert.deepEqual([same, await read(same)], [iterable, ['Hel', 'lo.']]);
  assert.equal(await new Response(evalworker.observe(bytes)).text(), 'Hello.');
  await evalworker.observe(bytes).cancel();
  await assert.rejects(read(evalworker.observe(async function* () { yield 'Hel'; throw new RangeError('x'); })), RangeError);
  const frozen = Object.freeze({ ...iterable });
  assert.equal(evalworker.observe(() => frozen), frozen);
  const events = await published(7);
  assert.deepEqual(events.map((e) => [e.output, e.error_type]), [
    ['Hello.', undefined], ['Hel', 'cancelled'], ['Hello.', undefined], ['Hello.', undefined], [undefined, 'cancelled'], ['Hel', 'RangeError'], [undefined, undefined],
  ]);
  assert.ok(events[0].first_token_latency_ms >= 0 && events[0].streaming);
});

test('answers and streams of clients that are not wrapped', async (t) => {
  const published = await start(t);
  const gemini = { candidates: [{ content: { parts: [{ text: 'Hi' }] }, finishReason: 'STOP' }], usageMetadata: { promptTokenCount: 2, candidatesTokenCount: 1, totalTokenCount: 3 }, modelVersion: 'gemini-3' };
  const bedrock = { output: { message: { role: 'assistant', content: [{ text: 'Hi' }] } }, stopReason: 'end_turn', usage: { inputTokens: 2, outputTokens: 1, totalTokens: 3 } };
  const ollama = { model: 'llama', message: { role: 'assistant', content: 'Hi' }, done: true, done_reason: 'stop', prompt_eval_count: 2, eval_count: 1 };
  for (const answer of [gemini, bedrock, ollama]) await evalworker.observe(async () => answer);
  const drain = async (stream) => {
    for await (const _ of stream);
  };
  await drain(evalworker.observe(async function* () {
    for (const delta of [{ role: 'assistant', content: 'H' }, { content: 'i' }]) yield { object: 'chat.completion.chunk', model: 'm', choices: [{ index: 0, delta }] };
  }));
  await drain(evalworker.observe(async function* () {
    yield { ...ollama, message: { role: 'assistant', content: 'H' }, done: false, done_reason: undefined };
    yield { ...ollama, message: { role: 'assistant', content: 'i' } };
  }));
  const events = await published(5);
  assert.deepEqual(events.slice(0, 3).map((e) => [e.output, e.finish_reason, e.input_tokens, e.output_tokens, e.total_tokens]), [
    [gemini, 'STOP', 2, 1, 3], [bedrock, 'end_turn', 2, 1, 3], [ollama, 'stop', 2, 1, 3],
  ]);
  assert.equal(events[3].output.choices[0].message.content, 'Hi');
  assert.deepEqual([events[4].output, events[4].finish_reason, events[4].input_tokens], ['Hi', 'stop', 2]);
});

test('scopes nest and end, also across awaits', async (t) => {
  const published = await start(t);
  const ask = (feature) => evalworker.observe(async () => feature, { feature });
  await evalworker.scope({ session_id: 's', tenant_id: 't' }, async () => {
    await ask('a');
    await Promise.all([1, 2].map((i) => evalworker.scope({ session_id: `s${i}` }, async () => (await null, ask(`b${i}`)))));
    await ask('c');
  });
  await ask('d');
  const events = await published(5);
  const of = Object.fromEntries(events.map((e) => [e.feature, [e.session_id, e.tenant_id]]));
  assert.deepEqual(of, { a: ['s', 't'], b1: ['s1', 't'], b2: ['s2', 't'], c: ['s', 't'], d: [undefined, undefined] });
});

test('the trace of the active span of OpenTelemetry', async (t) => {
  const published = await start(t);
  const contexts = new AsyncLocalStorage(); // a context manager as OpenTelemetry's own, which is a package of its own
  const manager = { active: () => contexts.getStore() ?? ROOT, with: (ctx, fn, self, ...args) => contexts.run(ctx, () => fn.call(self, ...args)), bind: (_, fn) => fn, enable: () => manager, disable: () => manager };
  const ROOT = context.active();
  context.setGlobalContextManager(manager);
  t.after(() => context.disable());
  const span = trace.wrapSpanContext({ traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: TraceFlags.SAMPLED, traceState: createTraceState('a=b') });
  await context.with(trace.setSpan(context.active(), span), () => evalworker.observe(async () => 'x'));
  evalworker.observe(() => 'x');
  globalThis._ddtrace = { scope() { throw new Error('half set up'); } };
  evalworker.observe(() => 'x');
  delete globalThis._ddtrace;
  const events = await published(3);
  assert.deepEqual(events.map((e) => e.trace_context), [
    { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'a=b' }, undefined, undefined,
  ]);
});

test("the trace of the active span of Datadog's tracer", { timeout: 60_000 }, async (t) => {
  const sidecar = await serveSidecar(t);
  const code = `
    const tracer = require('dd-trace').init({ startupLogs: false, plugins: false, url: 'http://127.0.0.1:9' });
    const evalworker = require('evalworker');
    const ask = (id) => evalworker.observe(() => 'x', { request_id: id });
    const ids = tracer.trace('ask', (span) => {
      span.setBaggageItem('user', 'alice');
      ask('inside');
      return span.context().toTraceparent() + ' ' + span.context().toTraceId();
    });
    ask('outside');
    console.log(ids);
    evalworker.flush(10_000).then(() => process.exit(0));`;
  const env = { ...process.env, EVALWORKER_URL: sidecar.url, DD_INSTRUMENTATION_TELEMETRY_ENABLED: 'false', DD_REMOTE_CONFIGURATION_ENABLED: 'false' };
  // A process of its own: the tracer changes the one that loads it. It runs here, where both packages are found.
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', code], { env, cwd: fileURLToPath(new URL('..', import.meta.url)) });
  const [traceparent, id] = stdout.trim().split(' ');
  const headers = Object.fromEntries(sidecar.events().map((event) => [event.request_id, event.trace_context]));
  assert.match(traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  assert.deepEqual([headers.inside.traceparent, headers.inside['x-datadog-trace-id']], [traceparent, id]);
  assert.doesNotMatch(JSON.stringify(headers.inside), /alice/);
  assert.deepEqual(Object.keys(headers), ['inside', 'outside']);
  assert.equal(headers.outside, undefined);
});
