import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as evalworker from '../index.mjs';
import { serveSidecar } from './support/servers.mjs';

const { Publisher } = evalworker;

/** Publishes events and returns what the sidecar has got, with the counts. */
async function sent(t, options, ...events) {
  const sidecar = await serveSidecar(t);
  const warnings = [];
  const publisher = new Publisher({ url: sidecar.url, logger: { warn: (text) => warnings.push(text) }, ...options });
  for (const event of events) publisher.publish(event);
  assert.equal(await publisher.close(10_000), true);
  return { events: sidecar.events(), stats: publisher.stats(), warnings };
}

const sha = (bytes) => createHash('sha256').update(bytes).digest('hex');
const PNG = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(49_992, 7)]);

test('what JSON has no form for', async (t) => {
  const circular = { a: 1 };
  circular.self = circular;
  const twice = { b: 2 };
  class Money {
    #amount = 3;
    amount() {
      return this.#amount;
    }
  }
  const broken = { fine: 1, get broken() { throw new Error('no'); } };
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  let deep = {};
  for (let i = 0; i < 2000; i++) deep = { deep };
  const { events } = await sent(t, {}, {
    request_id: 'a', circular, n: 1n, far: 2n ** 70n, cost: NaN, both: [twice, twice], at: new Date(0), never: new Date(NaN), map: new Map([['k', 1]]), set: new Set([1]),
    money: new Money(), url: new URL('http://a.b/'), error: new RangeError('x'), broken, revoked: revoked.proxy, list: [undefined, () => 1, Symbol('s')], nothing: undefined, deep,
  });
  const { deep: nested, ...event } = events[0];
  assert.deepEqual(event, {
    request_id: 'a', circular: { a: 1, self: '[circular]' }, n: 1, far: String(2n ** 70n), cost: null, both: [{ b: 2 }, { b: 2 }], at: '1970-01-01T00:00:00.000Z', never: null,
    map: { k: 1 }, set: [1], money: '[Money]', url: 'http://a.b/', error: { name: 'RangeError', message: 'x' }, broken: { fine: 1, broken: '[unreadable]' },
    revoked: '[unreadable]', list: [null, null, null],
  });
  assert.match(JSON.stringify(nested), /nested too deeply/);
});

const table = (name) => JSON.parse(readFileSync(new URL(`../../testdata/${name}.json`, import.meta.url), 'utf8')); // of all clients

test('media are replaced as all clients replace them', async (t) => {
  for (const { name, value, want } of table('media')) {
    await t.test(name, async (t) => {
      const { events } = await sent(t, {}, { request_id: 'a', input: value });
      assert.deepEqual(events[0].input, want);
    });
  }
});

test('bytes go out as type, size and digest', async (t) => {
  const shown = `size=50000;sha256=${sha(PNG)};base64,`;
  const { events } = await sent(t, {}, {
    request_id: 'a',
    bedrock: { image: { format: 'png', source: { bytes: new Uint8Array(PNG) } } },
    vercel: { type: 'file', mediaType: 'application/x-own', data: PNG },
    json: PNG.toJSON(),
    array: PNG.buffer.slice(PNG.byteOffset, PNG.byteOffset + PNG.length),
    short: Buffer.from('abc'),
    blob: new Blob([PNG], { type: 'image/png' }),
    getter: { get mimeType() { throw new Error('no'); }, data: PNG },
  });
  const [event] = events;
  assert.equal(event.bedrock.image.source.bytes, `data:;${shown}`);
  assert.equal(event.vercel.data, `data:application/x-own;${shown}`);
  assert.deepEqual([event.json, event.array, event.getter.data], Array(3).fill(`data:;${shown}`));
  assert.equal(event.short, 'YWJj');
  assert.equal(event.blob, 'data:image/png;size=50000;base64,');
});

test('users are hashed as all clients hash them', async (t) => {
  const before = process.env.EVALWORKER_USER_KEY;
  t.after(() => (before === undefined ? delete process.env.EVALWORKER_USER_KEY : (process.env.EVALWORKER_USER_KEY = before)));
  const sidecar = await serveSidecar(t);
  evalworker.configure({ url: sidecar.url, linger: 1 });
  const cases = table('user');
  for (const { user, key } of cases) {
    process.env.EVALWORKER_USER_KEY = key;
    evalworker.observe(() => 'ok', { user });
  }
  assert.equal(await evalworker.flush(10_000), true);
  assert.deepEqual(sidecar.events().map((event) => event.user_id_hash ?? ''), cases.map(({ hash }) => hash));
});

test('an event that is too large goes without its content', async (t) => {
  const whole = { event: 'llm_request_completed', prompt_name: 'p', status: 'success', input_tokens: 5, trace_context: { traceparent: 't' }, unknown: 'secret' };
  const { events, stats } = await sent(
    t, {},
    { ...whole, request_id: 'a', input: 'é'.repeat(600_000), retrieval: { index: 'i', query: 'q', hit_count: 1, chunks: [{ text: 'x' }] } },
    { ...whole, request_id: 'b', input: 'x'.repeat(50 << 20) },
    { ...whole, request_id: 'c', input: 'x'.repeat(900_000) },
  );
  const { unknown: _, ...bare } = whole;
  assert.deepEqual(events[0], { ...bare, request_id: 'a', retrieval: { index: 'i', hit_count: 1 }, content_withheld: 'too_large' });
  assert.equal(events[1].content_withheld, 'too_large');
  assert.equal(events[2].input.length, 900_000);
  assert.deepEqual([stats.accepted, stats.withheld], [3, 2]);
});

test('a wrapped request that is too large goes without its content', async (t) => {
  const sidecar = await serveSidecar(t);
  evalworker.configure({ url: sidecar.url, linger: 1 });
  evalworker.observe(() => 'x'.repeat(3 << 20), { input: ['Hi'], prompt_name: 'p' });
  evalworker.observe((call) => (call.set({ input: ['y'.repeat(4 << 20)], model: 'm', session_id: 7 }), 'ok'), { prompt_name: 'p' });
  assert.equal(await evalworker.flush(10_000), true);
  assert.deepEqual(sidecar.events().map((e) => [e.content_withheld, e.prompt_name, e.input, e.output, e.status]), Array(2).fill(['too_large', 'p', undefined, undefined, 'success']));
});

test('the prepare hook changes and drops events', async (t) => {
  const prepare = (event) => (event.request_id === 'drop' ? null : { ...event, input: event.input.replace('secret', '***') });
  for (const hook of [prepare, async (event) => prepare(event)]) {
    const { events, stats } = await sent(t, { prepare: hook }, { request_id: 'a', input: 'a secret' }, { request_id: 'drop', input: '' });
    assert.deepEqual(events, [{ request_id: 'a', input: 'a ***' }]);
    assert.deepEqual([stats.accepted, stats.filtered, stats.withheld, stats.waiting], [1, 1, 0, 0]);
  }
});

test('a prepare hook that fails lets no content out', async (t) => {
  const hooks = {
    throws: (event) => { event.note = event.input; throw new RangeError(event.input); },
    rejects: async (event) => { throw new RangeError(event.input); },
    'throws nothing': () => { throw undefined; },
    'forgets to return': (event) => { event.input = 'changed'; },
    'returns a text': (event) => event.input,
  };
  for (const [name, prepare] of Object.entries(hooks)) {
    const { events, stats, warnings } = await sent(t, { prepare }, { event: 'llm_request_completed', request_id: 'a', model: 'm', input: 'a secret', output: 'a secret', comment: 'a secret' });
    assert.deepEqual(events, [{ event: 'llm_request_completed', request_id: 'a', model: 'm', content_withheld: 'not_redacted' }], name);
    assert.equal(stats.withheld, 1);
    assert.equal(warnings.length, 1);
    assert.ok(!warnings[0].includes('secret'), warnings[0]);
  }
});

test('what a hook returns may be anything that an event may be', async (t) => {
  const { events } = await sent(t, { prepare: ({ input }) => ({ input, at: new Date(0), n: 5n }) }, { event: 'e', request_id: 'a', input: 'Hi' });
  assert.deepEqual(events, [{ event: 'e', request_id: 'a', input: 'Hi', at: '1970-01-01T00:00:00.000Z', n: 5 }]);
});

test('a user goes out as a digest only, and a field of the wrong kind costs itself', async (t) => {
  const sidecar = await serveSidecar(t);
  const warnings = [];
  evalworker.configure({ url: sidecar.url, linger: 1, logger: { warn: (text) => warnings.push(text) } });
  const fields = { user: 'alice@example.com', session: 7, tenant_id: { no: 'text' }, promt_name: 'x', feature: 'f', estimated_cost_usd: NaN };
  evalworker.scope(fields, () => evalworker.observe(() => 'Hello.', { input: 'Hi' }));
  await evalworker.flush(10_000);
  const [event] = sidecar.events();
  assert.deepEqual([event.user_id_hash, event.session_id, event.tenant_id, event.feature, event.output], [sha('alice@example.com'), '7', undefined, 'f', 'Hello.']);
  assert.ok(!sidecar.requests[0].body.includes('alice'));
  assert.deepEqual(warnings, ['evalworker: "tenant_id" has to be a text and is left out', 'evalworker: "promt_name" is no field and is left out (did you mean "prompt_name"?)']);
});

test('each wrong name is told once a minute, and counted', async (t) => {
  const sidecar = await serveSidecar(t);
  const warnings = [];
  evalworker.configure({ url: sidecar.url, linger: 1, logger: { warn: (text) => warnings.push(text) } });
  for (let i = 0; i < 2; i++) evalworker.observe((call) => call.set({ outptu: 'Hello.' }), { promt_name: 'x', sessionId: 'y', zzzzzz: 1 });
  const want = [['promt_name', ' (did you mean "prompt_name"?)'], ['sessionId', ' (did you mean "session_id"?)'], ['zzzzzz', ''], ['outptu', ' (did you mean "output"?)']];
  assert.deepEqual(warnings, want.map(([name, meant]) => `evalworker: "${name}" is no field and is left out${meant}`));
  assert.equal(evalworker.stats().warnings, 8);
  assert.match(evalworker.stats().lastWarning, /outptu/);
  for (let i = 0; i < 1000; i++) evalworker.scope({ [i + 'x'.repeat(1000)]: 1 }, () => {});
  assert.equal(warnings.length, 101); // 100 names, and one for all others
  assert.ok(warnings.every((text) => text.length < 300));
  await evalworker.flush(10_000);
});

test('retrieval in the forms of libraries and stores', async (t) => {
  const want = [{ id: 'kb_1', text: 'A refund takes 14 days.', score: 0.8 }];
  const [{ id, text, score }] = want;
  const forms = {
    own: { index: 'help', chunks: want },
    langchain: [{ pageContent: text, id, metadata: { score } }],
    'langchain with scores': [[{ pageContent: text, metadata: { source: id } }, score]],
    llamaindex: [{ node: { id_: id, text }, score }],
    pinecone: { matches: [{ id, score, metadata: { text } }] },
    qdrant: { points: [{ id, score, payload: { text } }] },
    elasticsearch: { hits: { hits: [{ _id: id, _score: score, _source: { content: text } }] } },
    openai: { object: 'vector_store.search_results.page', data: [{ file_id: id, score, content: [{ type: 'text', text }] }] },
  };
  const sidecar = await serveSidecar(t);
  evalworker.configure({ url: sidecar.url, linger: 1 });
  for (const retrieval of Object.values(forms)) evalworker.observe(() => 'x', { retrieval });
  evalworker.observe(() => 'x', { retrieval: ['text alone'] });
  evalworker.observe(() => 'x', { retrieval: { ids: [['kb_1']], documents: [['d']], distances: [[0.3]] } });
  await evalworker.flush(10_000);
  const chunks = sidecar.events().map((event) => event.retrieval.chunks);
  Object.keys(forms).forEach((name, i) => assert.deepEqual(chunks[i], want, name));
  assert.deepEqual(chunks.slice(-2), [[{ text: 'text alone' }], [{ id: 'kb_1', text: 'd' }]]);
});

test('warnings of the sidecar are counted, whatever their form', async (t) => {
  const sidecar = await serveSidecar(t);
  const answers = [{ accepted: 1, warnings: ['unknown field "usage"'] }, { accepted: 1, warnings: [{ line: 1, field: 'usage', problem: 'is not read' }, 7], more_warnings: 4 }, { accepted: 1, warnings: 'none' }];
  sidecar.answers.push(...answers.map((answer) => [202, 'application/json', JSON.stringify(answer)]));
  const told = [];
  const publisher = new Publisher({ url: sidecar.url, linger: 1, logger: { warn: (text) => told.push(text) } });
  for (let i = 0; i < 3; i++) {
    publisher.publish({ request_id: String(i) });
    await publisher.flush(10_000);
  }
  const { accepted, warnings, lastWarning, lastError } = publisher.stats();
  assert.deepEqual([accepted, warnings, lastWarning, lastError], [3, 7, 'usage: is not read', '']);
  assert.equal(told.length, 1);
  assert.match(told[0], /unknown field "usage"/);
  await publisher.close();
});

test('a warning a minute, with a count', { skip: process.versions.node.startsWith('18.') && 'mock timers came later' }, (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const told = [];
  const publisher = new Publisher({ url: 'http://127.0.0.1:9', maxEvents: 0, logger: { warn: (text) => told.push(text) } });
  for (let i = 0; i < 10; i++) publisher.publish({ request_id: 'a' });
  assert.equal(told.length, 1);
  t.mock.timers.tick(60_000);
  assert.equal(told.length, 2);
  assert.match(told[1], /10 events dropped.*\(and 8 more in the last minute\)/);
  t.mock.timers.tick(60_000);
  publisher.publish({ request_id: 'a' });
  assert.equal(told.length, 3);
});

test('a logger that throws reaches no request', () => {
  const publisher = new Publisher({ url: 'http://127.0.0.1:9', maxEvents: 0, logger: { warn() { throw new Error('no'); } } });
  assert.equal(publisher.publish({ request_id: 'a' }), false);
});

test('what configure has set stays until it is set again', async (t) => {
  const sidecar = await serveSidecar(t);
  evalworker.configure({ url: sidecar.url, linger: 1, service: 'api' });
  evalworker.configure({ prepare: (event) => ({ ...event, comment: 'seen' }), version: '2' });
  evalworker.observe(() => 'x');
  assert.equal(await evalworker.flush(10_000), true);
  assert.deepEqual(sidecar.events().map((e) => [e.comment, e.service, e.version]), [['seen', 'api', '2']]);
  evalworker.configure({ prepare: undefined });
});

test('feedback repeats what is known of its request', async (t) => {
  const sidecar = await serveSidecar(t);
  evalworker.configure({ url: sidecar.url, linger: 1, logger: { warn() {} } });
  const labels = { prompt_name: 'triage', prompt_version: 'v3', feature: 'support', session: 's1', tenant: 't1', user: 'u1', service: 'api', environment: 'prod' };
  evalworker.observe(() => 'Hello.', { ...labels, request_id: 'r1', input: 'Hi', trace_context: { traceparent: '00-1-2-01' } });
  evalworker.observe(() => 'Hello.', { request_id: 'r2', prompt_name: 'p'.repeat(10_000), feature: 'f' });
  evalworker.scope({ session: 'of the handler of feedback', feature: 'thumbs' }, () => {
    evalworker.feedback('r1', 'up');
    evalworker.feedback('r1', 'down', { prompt_version: 'v4', user: 'u2' });
  });
  for (const id of ['r2', 'of another process']) evalworker.feedback(id, 'up');
  await evalworker.flush(10_000);
  const [asked, , first, second, long, other] = sidecar.events();
  for (const name of ['prompt_name', 'prompt_version', 'feature', 'session_id', 'tenant_id', 'user_id_hash', 'environment', 'service', 'trace_context']) {
    assert.ok(asked[name], name);
    assert.deepEqual(first[name], asked[name], name);
  }
  assert.deepEqual([first.input, first.output, first.status], [undefined, undefined, undefined]);
  assert.deepEqual([second.prompt_name, second.prompt_version], ['triage', 'v4']);
  assert.notEqual(second.user_id_hash, asked.user_id_hash);
  assert.deepEqual([long.prompt_name, long.feature, other.prompt_name], [undefined, 'f', undefined]);
});

test('requests are remembered up to a bound', async (t) => {
  const sidecar = await serveSidecar(t);
  evalworker.configure({ url: sidecar.url, linger: 1 });
  for (let i = 0; i < 1001; i++) evalworker.observe(() => 'x', { request_id: `n${i}`, prompt_name: 'p' });
  for (const id of ['n0', 'n1']) evalworker.feedback(id, 'up');
  await evalworker.flush(10_000);
  assert.deepEqual(sidecar.events().slice(-2).map((event) => event.prompt_name), [undefined, 'p']);
});

test('a rating that the worker cannot read is published and told', async (t) => {
  const sidecar = await serveSidecar(t);
  const warnings = [];
  for (const rating of ['dwon', 'so lala', '4 of 5']) {
    evalworker.configure({ url: sidecar.url, linger: 1, logger: { warn: (text) => warnings.push(text) } });
    assert.equal(evalworker.feedback('r1', rating), true);
    assert.match(warnings.at(-1), /cannot read.*thumbs_down/);
    assert.equal(warnings.at(-1).includes('did you mean "down"?'), rating === 'dwon');
    assert.ok(!warnings.at(-1).includes(rating)); // it may be what a user wrote
    await evalworker.flush(10_000);
  }
  for (const rating of ['Thumbs Up', 'not-helpful', ':+1:', '👍🏽', '-1', '4', '4 / 5', '★★★★☆', true, 4]) evalworker.feedback('r1', rating, { max: 5 });
  await evalworker.flush(10_000);
  assert.equal(warnings.length, 3);
  assert.equal(sidecar.events().length, 13);
});

test('feedback needs the id of a request', async (t) => {
  const sidecar = await serveSidecar(t);
  evalworker.configure({ url: sidecar.url, linger: 1, logger: { warn() {} } });
  assert.equal(evalworker.feedback(evalworker.requestId({}), 'up'), false);
  assert.match(evalworker.stats().lastError, /without the id/);
  await evalworker.flush();
  assert.equal(sidecar.requests.length, 0);
});
