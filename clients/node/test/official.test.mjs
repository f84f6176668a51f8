import assert from 'node:assert/strict';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { APICallError, generateText, stepCountIs, streamText, tool, wrapLanguageModel } from 'ai';
import { MockLanguageModelV3, convertArrayToReadableStream } from 'ai/test';
import OpenAI, { AzureOpenAI } from 'openai';
import { z } from 'zod';
import * as evalworker from '../index.mjs';
import { asJSON, asStream, serve, serveSidecar } from './support/servers.mjs';

// Whole answers of the providers, and the pieces that their streams cut them into: the event has every field either way.

const USAGE = {
  prompt_tokens: 12, completion_tokens: 9, total_tokens: 21,
  prompt_tokens_details: { cached_tokens: 4, audio_tokens: 0 }, completion_tokens_details: { reasoning_tokens: 3, accepted_prediction_tokens: 0 },
};
const token = (text) => ({ token: text, logprob: -0.1, bytes: [...Buffer.from(text)], top_logprobs: [] });
const CHAT = {
  id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'gpt-5-2026', service_tier: 'default', system_fingerprint: 'fp', citations: ['http://a.b'],
  choices: [
    {
      index: 0, finish_reason: 'tool_calls', content_filter_results: { hate: { filtered: false, severity: 'safe' } }, logprobs: { content: [token('Look'), token('ing.')], refusal: null },
      message: {
        role: 'assistant', content: 'Looking.', refusal: null, reasoning_content: 'Hmm, so.',
        annotations: [{ type: 'url_citation', url_citation: { url: 'http://a.b', start_index: 0, end_index: 4 } }],
        audio: { id: 'audio_1', data: 'QUJD', transcript: 'Looking.', expires_at: 9 },
        tool_calls: [
          { id: 'c1', type: 'function', function: { name: 'lookup', arguments: '{"id": 7' } },
          { id: 'c2', type: 'function', function: { name: 'lookup', arguments: '{}' } },
        ],
      },
    },
    { index: 1, finish_reason: 'stop', logprobs: null, message: { role: 'assistant', content: null, refusal: 'No.' } },
  ],
  usage: USAGE,
};
const piece = (index, delta, more = {}) => {
  const { choices: _, usage: __, ...head } = CHAT;
  return { ...head, object: 'chat.completion.chunk', choices: [{ index, delta, logprobs: null, finish_reason: null, ...(index === 0 && { content_filter_results: CHAT.choices[0].content_filter_results }), ...more }], usage: null };
};
const audio = CHAT.choices[0].message.audio;
const CHUNKS = [
  piece(0, { role: 'assistant', content: '', refusal: null }),
  piece(0, { reasoning_content: 'Hmm, ' }),
  piece(0, { reasoning_content: 'so.' }),
  piece(1, { role: 'assistant', content: null, refusal: 'N' }),
  piece(0, { content: 'Look' }, { logprobs: { content: [token('Look')], refusal: null } }),
  piece(1, { refusal: 'o.' }, { finish_reason: 'stop' }),
  piece(0, { content: 'ing.' }, { logprobs: { content: [token('ing.')], refusal: null } }),
  piece(0, { annotations: CHAT.choices[0].message.annotations }),
  piece(0, { audio: { id: audio.id, data: 'QU', transcript: 'Look' } }),
  piece(0, { audio: { data: 'JD', transcript: 'ing.', expires_at: 9 } }),
  piece(0, { tool_calls: [{ index: 0, id: 'c1', type: 'function', function: { name: 'lookup', arguments: '{"id"' } }] }),
  piece(0, { tool_calls: [{ index: 1, id: 'c2', type: 'function', function: { name: 'lookup', arguments: '' } }] }),
  piece(0, { tool_calls: [{ index: 0, function: { arguments: ': 7' } }, { index: 1, function: { arguments: '{}' } }] }, { finish_reason: 'tool_calls' }),
  { ...piece(0, {}), choices: [], usage: USAGE },
];

const TEXT_ITEM = { id: 'msg_1', type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'Looking.', annotations: [], logprobs: [] }] };
const CALL_ITEM = { id: 'fc_1', type: 'function_call', call_id: 'c1', name: 'lookup', arguments: '{"id":7}', status: 'completed' };
const RESPONSE = {
  id: 'resp_1', object: 'response', created_at: 1, model: 'gpt-5-2026', status: 'completed', error: null, incomplete_details: null, instructions: 'Be kind.', metadata: { a: 'b' },
  output: [{ id: 'rs_1', type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hmm.' }] }, TEXT_ITEM, CALL_ITEM],
  usage: { input_tokens: 12, input_tokens_details: { cached_tokens: 4 }, output_tokens: 9, output_tokens_details: { reasoning_tokens: 3 }, total_tokens: 21 },
};
const RESPONSE_EVENTS = [
  { type: 'response.created', response: { ...RESPONSE, status: 'in_progress', output: [], usage: null } },
  { type: 'response.output_item.added', output_index: 0, item: { ...RESPONSE.output[0], summary: [] } },
  { type: 'response.output_item.done', output_index: 0, item: RESPONSE.output[0] },
  { type: 'response.output_item.added', output_index: 1, item: { ...TEXT_ITEM, status: 'in_progress', content: [] } },
  { type: 'response.content_part.added', item_id: 'msg_1', output_index: 1, content_index: 0, part: { type: 'output_text', text: '', annotations: [], logprobs: [] } },
  { type: 'response.output_text.delta', item_id: 'msg_1', output_index: 1, content_index: 0, delta: 'Look' },
  { type: 'response.output_text.delta', item_id: 'msg_1', output_index: 1, content_index: 0, delta: 'ing.' },
  { type: 'response.output_item.added', output_index: 2, item: { ...CALL_ITEM, arguments: '', status: 'in_progress' } },
  { type: 'response.function_call_arguments.delta', item_id: 'fc_1', output_index: 2, delta: '{"id":7}' },
  { type: 'response.completed', response: RESPONSE },
].map((event, sequence_number) => ({ ...event, sequence_number }));

const MESSAGE = {
  id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-5', stop_reason: 'tool_use', stop_sequence: null, container: { id: 'k', expires_at: 't' },
  content: [
    { type: 'thinking', thinking: 'Hmm, so.', signature: 'sig' },
    { type: 'text', text: 'Looking.', citations: [{ type: 'char_location', cited_text: 'x', document_index: 0 }] },
    { type: 'server_tool_use', id: 's1', name: 'web_search', input: { query: 'q' } },
    { type: 'web_search_tool_result', tool_use_id: 's1', content: [{ type: 'web_search_result', url: 'http://a.b', title: 't' }] },
    { type: 'tool_use', id: 't1', name: 'lookup', input: { id: 7 } },
    { type: 'tool_use', id: 't2', name: 'now', input: {} },
  ],
  usage: { input_tokens: 10, cache_read_input_tokens: 4, cache_creation_input_tokens: 2, output_tokens: 6, service_tier: 'standard', server_tool_use: { web_search_requests: 1 } },
};
const block = (index, content_block, ...deltas) => [
  { type: 'content_block_start', index, content_block },
  ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
  { type: 'content_block_stop', index },
];
const json = (partial_json) => ({ type: 'input_json_delta', partial_json });
const [, , SEARCH, FOUND, LOOKUP, NOW] = MESSAGE.content;
const MESSAGE_EVENTS = [
  { type: 'message_start', message: { ...MESSAGE, content: [], stop_reason: null, container: null, usage: { ...MESSAGE.usage, output_tokens: 1, server_tool_use: null } } },
  { type: 'ping' },
  ...block(0, { type: 'thinking', thinking: '', signature: '' }, { type: 'thinking_delta', thinking: 'Hmm, ' }, { type: 'thinking_delta', thinking: 'so.' }, { type: 'signature_delta', signature: 'sig' }),
  ...block(1, { type: 'text', text: '' }, { type: 'text_delta', text: 'Looking.' }, { type: 'citations_delta', citation: MESSAGE.content[1].citations[0] }),
  ...block(2, { ...SEARCH, input: {} }, json('{"query":'), json('"q"}')),
  ...block(3, FOUND),
  ...block(4, { ...LOOKUP, input: {} }, json(''), json('{"id":'), json(' 7}')),
  ...block(5, { ...NOW, input: {} }, json('')),
  { type: 'message_delta', delta: { stop_reason: 'tool_use', stop_sequence: null, container: MESSAGE.container }, usage: { output_tokens: 6, server_tool_use: MESSAGE.usage.server_tool_use } },
  { type: 'message_stop' },
];

async function start(t) {
  const provider = await serve([]);
  t.after(provider.close);
  const sidecar = await serveSidecar(t);
  evalworker.configure({ url: sidecar.url, linger: 1 });
  const published = async (n) => {
    assert.equal(await evalworker.flush(10_000), true);
    const events = sidecar.events();
    assert.equal(events.length, n, JSON.stringify(events));
    return events;
  };
  return { provider, published };
}

const options = (provider) => ({ baseURL: provider.url, apiKey: 'k'.repeat(8), maxRetries: 0 });
const QUESTION = [{ role: 'user', content: 'Where is my order?' }];
const read = async (stream) => {
  for await (const _ of stream);
};

function sameMeasures(events, want) {
  for (const event of events) {
    for (const [name, value] of Object.entries(want)) assert.deepEqual(event[name], value, name);
    assert.ok(event.llm_latency_ms > 0 && event.request_id && event.occurred_at);
  }
  assert.ok(events[1].first_token_latency_ms > 0 && events[1].streaming);
}

test('openai: every field of a chat completion', async (t) => {
  const { provider, published } = await start(t);
  provider.answers.push(asJSON(CHAT), asStream(CHUNKS));
  const client = evalworker.wrap(new OpenAI(options(provider)));
  const ask = { model: 'gpt-5', messages: QUESTION, tools: [{ type: 'function', function: { name: 'lookup' } }] };
  await client.chat.completions.create(ask);
  await read(await client.chat.completions.create({ ...ask, stream: true }));
  const events = await published(2);
  for (const event of events) assert.deepEqual(event.output, CHAT);
  sameMeasures(events, { model: 'gpt-5-2026', input_tokens: 12, output_tokens: 9, total_tokens: 21, finish_reason: 'tool_calls', status: 'success', input: QUESTION, tools: ask.tools, retry_count: 0 });
});

test('openai: every field of a response, and what came of one that is left', async (t) => {
  const { provider, published } = await start(t);
  provider.answers.push(asJSON(RESPONSE), asStream(RESPONSE_EVENTS, true), asStream(RESPONSE_EVENTS, true));
  const client = evalworker.wrap(new OpenAI(options(provider)));
  const ask = { model: 'gpt-5', input: 'Hi', instructions: 'Be kind.' };
  const answer = await client.responses.create(ask);
  assert.equal(answer.output_text, 'Looking.');
  await read(await client.responses.create({ ...ask, stream: true }));
  for await (const event of await client.responses.create({ ...ask, stream: true })) if (event.type === 'response.function_call_arguments.delta') break;
  const events = await published(3);
  const { output_text: _, ...whole } = events[0].output; // the library adds it
  assert.deepEqual(whole, RESPONSE);
  assert.deepEqual(events[1].output, RESPONSE);
  sameMeasures(events.slice(0, 2), { input_tokens: 12, output_tokens: 9, total_tokens: 21, finish_reason: 'completed', status: 'success', input: { input: 'Hi', instructions: 'Be kind.' } });
  assert.deepEqual(events[2].output.output, [RESPONSE.output[0], { ...TEXT_ITEM, status: 'in_progress' }, { ...CALL_ITEM, status: 'in_progress' }]);
  assert.equal(events[2].error_type, 'cancelled');
});

test('openai: a response that fails in its stream', async (t) => {
  const { provider, published } = await start(t);
  const failed = { ...RESPONSE, status: 'failed', output: [], usage: null, error: { code: 'server_error', message: 'no' } };
  provider.answers.push(asStream([RESPONSE_EVENTS[0], { type: 'response.failed', response: failed }], true));
  await read(await evalworker.wrap(new OpenAI(options(provider))).responses.create({ model: 'gpt-5', input: 'Hi', stream: true }));
  const [event] = await published(1);
  assert.deepEqual([event.status, event.error_type, event.output], ['error', 'server_error', failed]);
});

test('anthropic: every field of a message', async (t) => {
  const { provider, published } = await start(t);
  provider.answers.push(asJSON(MESSAGE), asStream(MESSAGE_EVENTS, true), asStream(MESSAGE_EVENTS, true), asStream(MESSAGE_EVENTS, true));
  const client = evalworker.wrap(new Anthropic(options(provider)));
  const ask = { model: 'claude-5', max_tokens: 9, messages: QUESTION, system: 'Be kind.' };
  await client.messages.create(ask);
  await read(await client.messages.create({ ...ask, stream: true }));
  await client.messages.stream(ask).finalMessage();
  await read(await client.beta.messages.create({ ...ask, stream: true }));
  const events = await published(4);
  for (const event of events) assert.deepEqual(event.output, MESSAGE);
  sameMeasures(events, { model: 'claude-5', input_tokens: 16, output_tokens: 6, total_tokens: 22, finish_reason: 'tool_use', status: 'success', input: { messages: QUESTION, system: 'Be kind.' } });
});

test('a 429 is tried again, an error is told, a timeout is one', async (t) => {
  const { provider, published } = await start(t);
  const busy = [429, 'application/json', '{"error":{"message":"slow down"}}'];
  provider.answers.push(busy, asJSON(CHAT), busy, asJSON(MESSAGE), [400, 'application/json', '{"error":{"message":"no"}}'], [400, 'application/json', '{"error":{"message":"no"}}']);
  const openai = evalworker.wrap(new OpenAI({ ...options(provider), maxRetries: 1 }));
  const anthropic = evalworker.wrap(new Anthropic({ ...options(provider), maxRetries: 1 }));
  const ask = { model: 'm', max_tokens: 9, messages: QUESTION };
  await openai.chat.completions.create(ask);
  await anthropic.messages.create(ask);
  await assert.rejects(openai.chat.completions.create(ask), OpenAI.BadRequestError);
  await assert.rejects(anthropic.messages.create(ask), Anthropic.BadRequestError);
  const events = await published(4);
  assert.deepEqual(events.map((e) => [e.status, e.error_type, e.retry_count]), [
    ['success', undefined, 1], ['success', undefined, 1], ['error', 'BadRequestError', 0], ['error', 'BadRequestError', 0],
  ]);
  assert.ok(!JSON.stringify(events[2]).includes('"no"'));
});

test('the provider is the API and not the host', async (t) => {
  const { provider, published } = await start(t);
  provider.answers.push(asJSON(CHAT), asJSON(CHAT), asJSON(MESSAGE));
  class OwnClient extends OpenAI {}
  const ask = { model: 'm', messages: QUESTION };
  await evalworker.wrap(new OwnClient(options(provider))).chat.completions.create(ask);
  await evalworker.wrap(new AzureOpenAI({ ...options(provider), apiVersion: '1' })).chat.completions.create(ask);
  await evalworker.wrap(new Anthropic(options(provider))).messages.create({ ...ask, max_tokens: 9 });
  assert.deepEqual((await published(3)).map((event) => event.provider), ['openai', 'azure', 'anthropic']);
});

test('feedback names the request of an answer', async (t) => {
  const { provider, published } = await start(t);
  provider.answers.push(asJSON(CHAT), asStream(CHUNKS), asJSON(CHAT), asJSON(CHAT));
  const client = evalworker.wrap(new OpenAI(options(provider)));
  const ask = { model: 'm', messages: QUESTION };
  const answer = await client.chat.completions.create(ask);
  const stream = await client.chat.completions.create({ ...ask, stream: true });
  await read(stream);
  await evalworker.scope({ request_id: 'own', session_id: 's' }, async () => {
    await client.chat.completions.create(ask);
    await evalworker.scope({ feature: 'f' }, () => client.chat.completions.create(ask));
  });
  evalworker.feedback(evalworker.requestId(answer), 'up', { comment: 'good', session_id: 's' });
  const events = await published(5);
  assert.deepEqual([evalworker.requestId(answer), evalworker.requestId(stream)], [events[0].request_id, events[1].request_id]);
  assert.deepEqual([events[2].request_id, events[3].session_id, events[3].feature], ['own', 's', 'f']);
  assert.notEqual(events[3].request_id, 'own');
  assert.deepEqual([events[4].event, events[4].request_id, events[4].user_rating, events[4].session_id], ['llm_user_feedback', events[0].request_id, 'up', 's']);
});

const V3_USAGE = { inputTokens: { total: 12, noCache: 8, cacheRead: 4, cacheWrite: 0 }, outputTokens: { total: 9, text: 6, reasoning: 3 }, raw: { a: 1 } };
const CONTENT = [
  { type: 'reasoning', text: 'Hmm, so.', providerMetadata: { own: { signature: 's' } } },
  { type: 'text', text: 'Looking.' },
  { type: 'source', sourceType: 'url', id: 'u', url: 'http://a.b' },
  { type: 'tool-call', toolCallId: 'c1', toolName: 'lookup', input: '{"id":7}' },
];
const RESULT = { content: CONTENT, finishReason: { unified: 'tool-calls', raw: 'tool_use' }, usage: V3_USAGE, providerMetadata: { own: { b: 2 } }, response: { id: 'r', modelId: 'm-2026' }, warnings: [] };
const PARTS = [
  { type: 'stream-start', warnings: [] },
  { type: 'response-metadata', id: 'r', modelId: 'm-2026' },
  { type: 'reasoning-start', id: '1' },
  { type: 'reasoning-delta', id: '1', delta: 'Hmm, ' },
  { type: 'reasoning-delta', id: '1', delta: 'so.' },
  { type: 'reasoning-end', id: '1', providerMetadata: CONTENT[0].providerMetadata },
  { type: 'text-start', id: '1' },
  { type: 'text-delta', id: '1', delta: 'Looking.' },
  { type: 'text-end', id: '1' },
  CONTENT[2],
  { type: 'tool-input-start', id: 'c1', toolName: 'lookup' },
  { type: 'tool-input-delta', id: 'c1', delta: '{"id":7}' },
  { type: 'tool-input-end', id: 'c1' },
  CONTENT[3],
  { type: 'finish', finishReason: RESULT.finishReason, usage: V3_USAGE, providerMetadata: RESULT.providerMetadata },
];

test('ai: every field of a result, tools, and the steps of an agent', async (t) => {
  const { published } = await start(t);
  const last = { content: [{ type: 'text', text: 'Shipped.' }], finishReason: { unified: 'stop' }, usage: V3_USAGE, warnings: [] };
  const results = [RESULT, last];
  const model = wrapLanguageModel({
    model: new MockLanguageModelV3({ modelId: 'm', provider: 'own', doGenerate: async () => results.shift(), doStream: async () => ({ stream: convertArrayToReadableStream(PARTS) }) }),
    middleware: evalworker.middleware({ prompt_name: 'p' }),
  });
  const tools = { lookup: tool({ inputSchema: z.object({ id: z.number() }), execute: async () => 'shipped' }) };
  const per = { providerOptions: { evalworker: { prompt_version: 'v2', user: 'alice' } } };
  assert.equal((await generateText({ model, prompt: 'Hi', tools, stopWhen: stepCountIs(2), ...per })).text, 'Shipped.');
  await read(streamText({ model, prompt: 'Hi', tools, ...per }).textStream);
  const events = await published(3);
  const { finishReason: _, ...want } = RESULT;
  for (const event of [events[0], events[2]]) {
    const { finishReason, ...output } = event.output;
    assert.deepEqual(output, want);
    assert.equal(finishReason, 'tool-calls');
  }
  sameMeasures([events[0], events[2]], {
    model: 'm-2026', provider: 'own', prompt_name: 'p', prompt_version: 'v2', input_tokens: 12, output_tokens: 9, total_tokens: 21, finish_reason: 'tool-calls', status: 'success', retry_count: 0,
  });
  assert.equal(events[0].tools[0].name, 'lookup');
  assert.equal(events[1].input.at(-1).role, 'tool');
  assert.ok(!JSON.stringify(events).includes('alice'));
});

test('ai: a 429 is an event of its own, and the next attempt says which one it is', async (t) => {
  const { published } = await start(t);
  const answers = [new APICallError({ message: 'slow', url: 'u', requestBodyValues: {}, statusCode: 429, isRetryable: true, responseHeaders: { 'retry-after-ms': '1' } }), RESULT];
  const doGenerate = async () => {
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const model = wrapLanguageModel({ model: new MockLanguageModelV3({ doGenerate }), middleware: evalworker.middleware() });
  await generateText({ model, prompt: 'Hi', maxRetries: 1 });
  const prompt = []; // the same prompt again is no retry
  answers.push(RESULT, RESULT);
  await model.doGenerate({ prompt });
  await model.doGenerate({ prompt });
  const events = await published(4);
  assert.deepEqual(events.map((e) => [e.status, e.error_type, e.retry_count]), [['error', 'AI_APICallError', 0], ['success', undefined, 1], ['success', undefined, 0], ['success', undefined, 0]]);
});

test('ai: a stream that is aborted, cancelled, or tells an error', async (t) => {
  const { published } = await start(t);
  const begin = (controller) => PARTS.slice(0, 8).forEach((part) => controller.enqueue(part));
  const hanging = (signal) => new ReadableStream({ start: (controller) => (begin(controller), signal?.addEventListener('abort', () => controller.error(signal.reason))) });
  const failing = () => convertArrayToReadableStream([...PARTS.slice(0, 8), { type: 'error', error: new RangeError('x') }]);
  const streams = [hanging, hanging, failing];
  const base = new MockLanguageModelV3({ doStream: async ({ abortSignal }) => ({ stream: streams.shift()(abortSignal) }) });
  const model = wrapLanguageModel({ model: base, middleware: evalworker.middleware() });
  const controller = new AbortController();
  const result = streamText({ model, prompt: 'Hi', abortSignal: controller.signal, onError() {} });
  for await (const part of result.fullStream) if (part.type === 'text-delta') controller.abort();
  const { stream } = await model.doStream({ prompt: [] });
  const reader = stream.getReader();
  for (let i = 0; i < 8; i++) await reader.read();
  await reader.cancel();
  await read(streamText({ model, prompt: 'Hi', onError() {} }).fullStream);
  const events = await published(3);
  assert.deepEqual(events.map((e) => [e.status, e.error_type, e.output.content.at(-1).text]), [
    ['error', 'cancelled', 'Looking.'], ['error', 'cancelled', 'Looking.'], ['error', 'RangeError', 'Looking.'],
  ]);
});

test('openai: text completions', async (t) => {
  const { provider, published } = await start(t);
  const whole = { id: 'c', object: 'text_completion', created: 1, model: 'm', choices: [{ index: 0, text: 'Hello.', logprobs: null, finish_reason: 'stop' }], usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } };
  const part = (text, finish_reason = null) => ({ ...whole, choices: [{ index: 0, text, logprobs: null, finish_reason }], usage: null });
  provider.answers.push(asJSON(whole), asStream([part('Hel'), part('lo.', 'stop'), { ...whole, choices: [] }]));
  const client = evalworker.wrap(new OpenAI(options(provider)));
  await client.completions.create({ model: 'm', prompt: 'Hi' });
  await read(await client.completions.create({ model: 'm', prompt: 'Hi', stream: true }));
  const events = await published(2);
  for (const event of events) assert.deepEqual(event.output, whole);
  sameMeasures(events, { input_tokens: 1, output_tokens: 2, finish_reason: 'stop', input: { prompt: 'Hi' } });
});
