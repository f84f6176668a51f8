import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { promisify } from 'node:util';
import * as evalworker from '../index.mjs';
import { serveSidecar } from './support/servers.mjs';

const { Publisher } = evalworker;

test('events arrive in order, many in a request', async (t) => {
  const sidecar = await serveSidecar(t);
  const publisher = new Publisher({ url: sidecar.url });
  for (let i = 0; i < 250; i++) assert.equal(publisher.publish({ request_id: String(i) }), true);
  assert.equal(await publisher.close(10_000), true);
  assert.deepEqual(sidecar.events().map((e) => e.request_id), [...Array(250).keys()].map(String));
  assert.ok(sidecar.requests.length <= 4);
  assert.equal(publisher.stats().accepted, 250);
});

test('a sidecar that says later', async (t) => {
  const sidecar = await serveSidecar(t);
  sidecar.answers.push([503, 'application/json', '{}'], [429, 'application/json', '{}']);
  const publisher = new Publisher({ url: sidecar.url });
  publisher.publish({ request_id: 'a' });
  assert.equal(await publisher.close(10_000), true);
  assert.deepEqual([publisher.stats().retries, publisher.stats().accepted], [2, 1]);
});

test('a sidecar that is away costs memory up to the bound', async () => {
  const publisher = new Publisher({ url: 'http://127.0.0.1:9', maxEvents: 10 });
  for (let i = 0; i < 500; i++) publisher.publish({ request_id: String(i) });
  assert.ok(publisher.waiting <= 10);
  assert.equal(await publisher.close(50), false);
  assert.equal(publisher.stats().dropped, 500);
});

test('close waits no longer than it is told for a sidecar that hangs', { timeout: 20_000 }, async () => {
  const server = createServer(() => {}).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const publisher = new Publisher({ url: `http://127.0.0.1:${server.address().port}`, timeout: 600_000 });
  publisher.publish({ request_id: 'a' });
  assert.equal(await publisher.close(200), false);
  assert.equal(publisher.stats().dropped, 1);
  server.closeAllConnections();
  server.close();
});

test('refused events are counted and named', async (t) => {
  const sidecar = await serveSidecar(t);
  sidecar.answers.push([400, 'application/json', JSON.stringify({ accepted: 1, faults: [{ line: 2, problem: 'malformed: missing request_id' }] })]);
  const publisher = new Publisher({ url: sidecar.url });
  publisher.publish({ request_id: 'a' });
  publisher.publish({});
  await publisher.close(10_000);
  assert.deepEqual([publisher.stats().accepted, publisher.stats().rejected], [1, 1]);
  assert.match(publisher.stats().lastError, /missing request_id/);
});

test('a body that is too large is sent in halves', async (t) => {
  const sidecar = await serveSidecar(t);
  sidecar.answers.push([413, 'application/json', '{}'], [413, 'application/json', '{}']); // for all four, then for the first two
  const publisher = new Publisher({ url: sidecar.url });
  for (const id of ['a', 'b', 'c', 'd']) publisher.publish({ request_id: id });
  assert.equal(await publisher.close(10_000), true);
  assert.deepEqual(sidecar.requests.map(({ body }) => body.match(/\n/g).length), [4, 2, 1, 1, 2]);
  assert.deepEqual([publisher.stats().accepted, publisher.stats().rejected], [4, 0]);
});

test('a proxy that fails is an outage, and an answer in no known form none', async (t) => {
  const sidecar = await serveSidecar(t);
  sidecar.answers.push([502, 'text/html', '<html>'], [400, 'application/json', 'null']);
  const publisher = new Publisher({ url: sidecar.url });
  publisher.publish({ request_id: 'a' });
  assert.equal(await publisher.close(10_000), true);
  assert.deepEqual([publisher.stats().retries, publisher.stats().rejected, publisher.stats().dropped], [1, 1, 0]);
});

test('events follow no redirect', async (t) => {
  const sidecar = await serveSidecar(t);
  sidecar.answers.push([307, 'text/html', '', { location: '/elsewhere' }]);
  const publisher = new Publisher({ url: sidecar.url });
  publisher.publish({ request_id: 'a' });
  assert.equal(await publisher.close(10_000), true);
  assert.deepEqual([publisher.stats().rejected, sidecar.requests.length], [1, 1]);
});

test('observe and feedback', async (t) => {
  const sidecar = await serveSidecar(t);
  evalworker.configure({ publisher: new Publisher({ url: sidecar.url, linger: 1 }) });
  let id;
  await evalworker.observe(async (call) => ((id = call.requestId), 'Hello.'), { prompt_name: 'triage', input: 'Hi' });
  await assert.rejects(evalworker.observe(async () => { throw new RangeError('x'); }, { input: 'Hi' }), RangeError);
  evalworker.feedback(id, 'up', { comment: 'good' });
  await evalworker.flush(10_000);
  const [first, second, third] = sidecar.events();
  assert.deepEqual([first.output, first.status, second.error_type], ['Hello.', 'success', 'RangeError']);
  assert.deepEqual([third.event, third.request_id, third.user_rating, third.comment], ['llm_user_feedback', id, 'up', 'good']);
});

test('an address that is no URL reaches no request', async () => {
  const path = createRequire(import.meta.url).resolve('../index.cjs');
  const code = `const e = require(${JSON.stringify(path)}); e.observe(async () => 'Hello.', { input: 'Hi' }).then((answer) => console.log(answer, e.feedback('r', 'up')))`;
  for (const url of ['sidecar:8788', 'http://sidecar:99999', 'http://']) {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['-e', code], { timeout: 30_000, env: { ...process.env, EVALWORKER_URL: url } });
    assert.equal(stdout.trim(), 'Hello. false');
    assert.match(stderr, /is no URL of a sidecar/);
    assert.throws(() => new Publisher({ url }), TypeError);
  }
});

