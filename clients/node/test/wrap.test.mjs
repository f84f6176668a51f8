import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import * as evalworker from '../index.mjs';
import { asJSON, asStream, serve, serveSidecar } from './support/servers.mjs';

const CALL = { id: 'c1', type: 'function', function: { name: 'lookup', arguments: '{"id": 7' } };
const CHAT = {
  id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'gpt-5-2026',
  choices: [{ index: 0, finish_reason: 'tool_calls', message: { role: 'assistant', content: 'Looking.', refusal: null, tool_calls: [CALL] } }],
  usage: { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 },
};
const chunk = (delta, more = {}) => ({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'gpt-5-2026', choices: [{ index: 0, delta, ...more }] });
const CHUNKS = [
  chunk({ role: 'assistant', content: '' }),
  chunk({ content: 'Look' }),
  chunk({ content: 'ing.' }),
  chunk({ tool_calls: [{ index: 0, id: 'c1', type: 'function', function: { name: 'lookup', arguments: '{"id"' } }] }),
  chunk({ tool_calls: [{ index: 0, function: { arguments: ': 7' } }] }, { finish_reason: 'tool_calls' }),
  { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'gpt-5-2026', choices: [], usage: CHAT.usage },
];
const QUESTION = [{ role: 'user', content: 'Where is my order?' }];
const TOOLS = [{ type: 'function', function: { name: 'lookup', parameters: { type: 'object' } } }];
const MESSAGE = {
  id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-5', stop_reason: 'tool_use', stop_sequence: null,
  content: [{ type: 'text', text: 'Looking.' }, { type: 'tool_use', id: 't1', name: 'lookup', input: { id: 7 } }],
  usage: { input_tokens: 10, cache_read_input_tokens: 4, output_tokens: 6 },
};
const MESSAGE_EVENTS = [
  { type: 'message_start', message: { ...MESSAGE, content: [], stop_reason: null, usage: { ...MESSAGE.usage, output_tokens: 1 } } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Looking.' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'content_block_start', index: 1, content_block: { type: 'tool_use', id: 't1', name: 'lookup', input: {} } },
  { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '{"id":' } },
  { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: ' 7}' } },
  { type: 'content_block_stop', index: 1 },
  { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 6 } },
  { type: 'message_stop' },
];

let provider;
let sidecar;
let own;

beforeEach(async () => {
  provider = await serve([]);
  sidecar = await serveSidecar();
  own = new evalworker.Publisher({ url: sidecar.url, linger: 1 });
  evalworker.configure({ publisher: own });
});

afterEach(async () => {
  await own.close(5000);
  provider.close();
  sidecar.close();
});

const openai = (options) => new OpenAI({ baseURL: provider.url + '/v1', apiKey: 'k'.repeat(8), maxRetries: 0, ...options });
const anthropic = () => new Anthropic({ baseURL: provider.url, apiKey: 'k'.repeat(8), maxRetries: 0 });

async function published(n = 1) {
  assert.equal(await evalworker.flush(10_000), true, own.stats().lastError);
  const events = sidecar.events();
  assert.equal(events.length, n, JSON.stringify(events));
  return n === 1 ? events[0] : events;
}

function has(event, want) {
  for (const [name, value] of Object.entries(want)) assert.deepEqual(event[name], value, name);
}

test('a chat completion is published as it came', async () => {
  provider.answers.push(asJSON(CHAT));
  const client = evalworker.wrap(openai(), { feature: 'support', prompt_name: 'triage', prompt_version: 'v3' });
  const answer = await client.chat.completions.create({ model: 'gpt-5', messages: QUESTION, tools: TOOLS });
  assert.equal(answer.choices[0].message.content, 'Looking.');
  has(await published(), {
    event: 'llm_request_completed', feature: 'support', prompt_name: 'triage', prompt_version: 'v3', model: 'gpt-5-2026', status: 'success',
    finish_reason: 'tool_calls', input: QUESTION, tools: TOOLS, output: CHAT, input_tokens: 12, output_tokens: 5, total_tokens: 17, retry_count: 0, provider: 'openai',
  });
});

test('helpers of the library are one request each', async () => {
  provider.answers.push(asStream(CHUNKS.filter((c) => !c.choices[0]?.delta.tool_calls)), asJSON({ ...CHAT, choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: '{}' } }] }));
  const client = evalworker.wrap(openai());
  await client.chat.completions.stream({ model: 'm', messages: QUESTION }).done().catch(() => {});
  await client.chat.completions.parse({ model: 'm', messages: QUESTION });
  const [first, second] = await published(2);
  assert.equal(first.output.choices[0].message.content, 'Looking.');
  assert.equal(second.output.choices[0].message.content, '{}');
});

test('asResponse has a body that nobody has read, withResponse has both', async () => {
  provider.answers.push(asJSON(CHAT), asJSON(CHAT));
  const client = evalworker.wrap(openai());
  const response = await client.chat.completions.create({ model: 'm', messages: QUESTION }).asResponse();
  assert.equal((await response.json()).id, 'chatcmpl-1');
  const both = await client.chat.completions.create({ model: 'm', messages: QUESTION }).withResponse();
  assert.equal(both.response.status, 200);
  assert.equal((await published()).output.id, 'chatcmpl-1');
});

test('retries and errors', async () => {
  const busy = [429, 'application/json', '{"error":{"message":"slow down"}}'];
  provider.answers.push(busy, asJSON(CHAT), busy);
  const client = evalworker.wrap(openai({ maxRetries: 1 }));
  await client.chat.completions.create({ model: 'gpt-5', messages: QUESTION });
  await assert.rejects(client.withOptions({ maxRetries: 0 }).chat.completions.create({ model: 'gpt-5', messages: QUESTION }), OpenAI.RateLimitError);
  const [first, second] = await published(2);
  has(first, { retry_count: 1, status: 'success' });
  has(second, { status: 'error', error_type: 'RateLimitError', model: 'gpt-5' });
});

test('a request that the application aborts', async () => {
  const controller = new AbortController();
  controller.abort();
  await assert.rejects(evalworker.wrap(openai()).chat.completions.create({ model: 'm', messages: QUESTION }, { signal: controller.signal }));
  has(await published(), { status: 'error', error_type: 'cancelled' });
});

test('what is nearest to a request counts', async () => {
  provider.answers.push(asJSON(CHAT), asJSON(CHAT));
  const client = evalworker.wrap(openai(), { prompt_version: 'v1', feature: 'a', provider: 'vllm' });
  await evalworker.scope({ session_id: 's1', feature: 'b' }, () =>
    client.chat.completions.create({ model: 'm', messages: QUESTION }, { evalworker: { prompt_version: 'v2', request_id: 'r1' } }),
  );
  await client.chat.completions.create({ model: 'm', messages: QUESTION });
  const [first, second] = await published(2);
  has(first, { session_id: 's1', feature: 'b', prompt_version: 'v2', request_id: 'r1', provider: 'vllm' });
  has(second, { session_id: undefined, feature: 'a', prompt_version: 'v1' });
  assert.ok(!provider.requests[0].body.includes('evalworker'));
});

test('a wrong name at one request is left out', async () => {
  provider.answers.push(asJSON(CHAT));
  await evalworker.wrap(openai()).chat.completions.create({ model: 'm', messages: QUESTION }, { evalworker: { promt_name: 'x', feature: 'a' } });
  has(await published(), { feature: 'a', promt_name: undefined });
});

test('wrong names are refused at once', () => {
  assert.throws(() => evalworker.wrap(openai(), { promt_name: 'x' }), /promt_name/);
  assert.throws(() => evalworker.wrap({}), /no client/);
});

test('an index that would need all memory', async () => {
  const far = chunk({ tool_calls: [{ index: 2 ** 31, function: { name: 'x' } }, { index: -7, function: { name: 'y' } }] });
  provider.answers.push(asStream([...CHUNKS.slice(0, 4), far, ...CHUNKS.slice(4)]));
  const stream = await evalworker.wrap(openai()).chat.completions.create({ model: 'gpt-5', messages: QUESTION, stream: true });
  for await (const piece of stream) assert.ok(piece);
  assert.deepEqual((await published()).output.choices[0].message.tool_calls, [CALL]);
});

test('pieces that make no whole reach the application all the same', async () => {
  const again = [...MESSAGE_EVENTS.slice(0, 7), MESSAGE_EVENTS[0], MESSAGE_EVENTS[9]]; // a message that begins twice
  provider.answers.push(asStream(again, true));
  const stream = await evalworker.wrap(anthropic()).messages.create({ model: 'claude-5', max_tokens: 9, messages: QUESTION, stream: true });
  let n = 0;
  for await (const piece of stream) n += piece ? 1 : 0;
  assert.equal(n, again.length);
  assert.equal((await published()).status, 'success');
});
