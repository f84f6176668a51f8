import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import * as evalworker from '../index.mjs';
import { serveStream, serveSidecar } from './support/servers.mjs';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

const ASK = { model: 'm', messages: [{ role: 'user', content: 'Hi' }], stream: true };
const chunk = (content) => ({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: { content } }] });

let provider;
let sidecar;
let client;

beforeEach(async () => {
  provider = await serveStream([chunk('Hel'), chunk('lo.')]); // and then nothing, with the connection open
  sidecar = await serveSidecar();
  evalworker.configure({ url: sidecar.url, linger: 1 });
  client = evalworker.wrap(new OpenAI({ baseURL: provider.url, apiKey: 'k'.repeat(8), maxRetries: 0 }), { prompt_name: 'p' });
});

afterEach(async () => {
  await evalworker.close();
  provider.close();
  sidecar.close();
});

/** Waits for the first event, letting the garbage collection run, and makes sure that it stays the only one. */
async function onlyEvent() {
  while (sidecar.events().length === 0) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  provider.end();
  collect();
  await new Promise((resolve) => setTimeout(resolve, 20));
  await evalworker.flush();
  assert.equal(sidecar.events().length, 1);
  return sidecar.events()[0];
}

const isCancelled = (event, text) => {
  assert.equal(event.output === undefined, text === undefined);
  assert.deepEqual([event.status, event.error_type, event.streaming, event.prompt_name], ['error', 'cancelled', true, 'p']);
  assert.equal(event.output?.choices?.[0]?.message.content, text);
};

test('a stream that nobody iterates', { timeout: 20_000 }, async () => {
  const began = performance.now();
  await (async () => void (await client.chat.completions.create(ASK)))();
  const most = performance.now() - began;
  await new Promise((resolve) => setTimeout(resolve, 20));
  const event = await onlyEvent();
  isCancelled(event, undefined);
  assert.ok(event.llm_latency_ms <= most, 'the time until the garbage collection is not the model\'s');
});

test('a stream whose iterator is forgotten halfway', { timeout: 20_000 }, async () => {
  await (async () => {
    const iterator = (await client.chat.completions.create(ASK))[Symbol.asyncIterator]();
    await iterator.next();
  })();
  isCancelled(await onlyEvent(), 'Hel');
});

test('a stream that is left by break, and by return', { timeout: 20_000 }, async () => {
  for await (const _ of await client.chat.completions.create(ASK)) break;
  isCancelled(await onlyEvent(), 'Hel');
});

test('a stream whose controller is aborted, read or not', { timeout: 20_000 }, async () => {
  const stream = await client.chat.completions.create(ASK);
  for await (const piece of stream) if (piece.choices[0].delta.content === 'lo.') stream.controller.abort();
  isCancelled(await onlyEvent(), 'Hello.');
});

test('a stream that is aborted by its request before anybody reads it', { timeout: 20_000 }, async () => {
  const controller = new AbortController();
  const stream = await client.chat.completions.create(ASK, { signal: controller.signal });
  controller.abort();
  isCancelled(await onlyEvent(), undefined);
  assert.ok(stream);
});

test('a stream that breaks off with an error', { timeout: 20_000 }, async () => {
  const stream = await client.chat.completions.create(ASK);
  await assert.rejects(async () => {
    for await (const piece of stream) if (piece.choices[0].delta.content === 'lo.') provider.destroy();
  });
  const event = await onlyEvent();
  assert.deepEqual([event.status, event.output.choices[0].message.content], ['error', 'Hello.']);
  assert.notEqual(event.error_type, 'cancelled');
});

test('a tee is one request', { timeout: 20_000 }, async () => {
  const [left, right] = (await client.chat.completions.create(ASK)).tee();
  const read = async (stream) => {
    let text = '';
    for await (const piece of stream) text += piece.choices[0].delta.content;
    return text;
  };
  provider.end();
  assert.deepEqual(await Promise.all([read(left), read(right)]), ['Hello.', 'Hello.']);
  const event = await onlyEvent();
  assert.deepEqual([event.status, event.output.choices[0].message.content], ['success', 'Hello.']);
});

test('a helper of the library that is aborted', { timeout: 20_000 }, async () => {
  const stream = client.chat.completions.stream({ ...ASK });
  stream.on('chunk', (piece) => piece.choices[0].delta.content === 'lo.' && stream.abort());
  await assert.rejects(stream.done());
  isCancelled(await onlyEvent(), 'Hello.');
});

test('a request whose answer nobody asks for, or only asResponse', { timeout: 20_000 }, async () => {
  const began = performance.now();
  await (async () => void (await client.chat.completions.create({ ...ASK, stream: false }).asResponse()))();
  const most = performance.now() - began + 1;
  await new Promise((resolve) => setTimeout(resolve, 20));
  const event = await onlyEvent();
  assert.ok(event.llm_latency_ms <= most);
  assert.deepEqual([event.status, event.output, event.model], ['success', undefined, 'm']);
});

test('a garbage collection while the answer is read changes nothing', { timeout: 20_000 }, async () => {
  const answer = client.chat.completions.create({ ...ASK, stream: false }).then(undefined, (error) => error);
  await new Promise((resolve) => setTimeout(resolve, 50));
  for (let i = 0; i < 5; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(sidecar.events().length, 0);
  provider.end();
  await answer;
  await evalworker.flush();
  assert.equal(sidecar.events().length, 1);
});

test('an answer without an end does not fill the memory', { timeout: 20_000 }, async (t) => {
  const long = await serveStream(Array(40).fill(chunk('x'.repeat(100_000))), true);
  t.after(long.close);
  const own = evalworker.wrap(new OpenAI({ baseURL: long.url, apiKey: 'k'.repeat(8) }), { prompt_name: 'p' });
  let n = 0;
  for await (const _ of await own.chat.completions.create(ASK)) n++;
  assert.equal(n, 40);
  const event = await onlyEvent();
  assert.deepEqual([event.content_withheld, event.status, event.output, event.input], ['too_large', 'success', undefined, undefined]);
});

test('streams of the AI SDK and of observe that nobody reads', { timeout: 20_000 }, async () => {
  const middleware = evalworker.middleware({ prompt_name: 'p' });
  const hanging = () => new ReadableStream({ start: (controller) => controller.enqueue({ type: 'text-delta', id: '1', delta: 'Hel' }) });
  const left = {
    'ai, not read': async () => void (await middleware.wrapStream({ doStream: async () => ({ stream: hanging() }), params: {}, model: {} })),
    'ai, forgotten': async () => void (await (await middleware.wrapStream({ doStream: async () => ({ stream: hanging() }), params: {}, model: {} })).stream.getReader().read()),
    'observe, a stream': async () => void evalworker.observe(hanging, { prompt_name: 'p' }),
    'observe, a generator': async () => void evalworker.observe(async function* () { yield 1; }, { prompt_name: 'p' }),
    'observe, an iterable': async () => void evalworker.observe(() => ({ async *[Symbol.asyncIterator]() { yield 1; } }), { prompt_name: 'p' }),
  };
  for (const [name, leave] of Object.entries(left)) {
    const before = sidecar.events().length;
    await leave();
    while (sidecar.events().length === before) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const event = sidecar.events().at(-1);
    assert.deepEqual([event.error_type, event.prompt_name, event.streaming], ['cancelled', 'p', true], name);
  }
  await evalworker.flush();
  assert.equal(sidecar.events().length, Object.keys(left).length);
});

test('anthropic: a message stream that is aborted', { timeout: 20_000 }, async (t) => {
  const own = await serveStream([
    { type: 'message_start', message: { id: 'm', type: 'message', role: 'assistant', model: 'claude', content: [], usage: { input_tokens: 3, output_tokens: 1 } } },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hel' } },
  ]);
  t.after(own.close);
  const anthropic = evalworker.wrap(new Anthropic({ baseURL: own.url, apiKey: 'k'.repeat(8), maxRetries: 0 }));
  const stream = anthropic.messages.stream({ model: 'claude', max_tokens: 9, messages: ASK.messages });
  stream.on('text', () => stream.abort());
  await assert.rejects(stream.done());
  const event = await onlyEvent();
  assert.deepEqual([event.error_type, event.output.content, event.input_tokens], ['cancelled', [{ type: 'text', text: 'Hel' }], 3]);
});
