import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import * as evalworker from '../index.mjs';
import { serve, serveSidecar } from './support/servers.mjs';

const path = JSON.stringify(createRequire(import.meta.url).resolve('../index.cjs'));
const EVENTS = 10_000;

/** Runs code in a process of its own, with evalworker and a server that handles until it is stopped. */
async function run(code, env) {
  const source = `const evalworker = require(${path}); ${code}`;
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const out = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].on('data', (piece) => (out[name] += piece));
  const exit = once(child, 'close');
  return { child, out, exit };
}

/** Returns the code that README.md documents for SIGTERM. */
async function documentedShutdown() {
  const text = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const [code] = /process\.once\('SIGTERM'[\s\S]*?\n\}\);\n/.exec(text);
  return code;
}

const publishAll = `for (let i = 0; i < ${EVENTS}; i++) evalworker.observe(() => 'Hello.', { request_id: 'r' + i, input: 'Hi' });`;
const idsOf = (sidecar) => new Set(sidecar.events().map((event) => event.request_id));

test('the documented shutdown loses none of 10,000 events', { timeout: 60_000 }, async (t) => {
  const sidecar = await serveSidecar(t);
  sidecar.answers.push([503, 'application/json', '{}'], [429, 'application/json', '{}']);
  const code = `
    const server = require('node:http').createServer(() => {}).listen(0, '127.0.0.1', () => { ${publishAll} console.log('ready'); });
    ${await documentedShutdown()}`;
  const { child, out, exit } = await run(code, { EVALWORKER_URL: sidecar.url });
  await once(child.stdout, 'data');
  child.kill('SIGTERM');
  assert.deepEqual(await exit, [0, null], out.stderr);
  assert.equal(idsOf(sidecar).size, EVENTS);
});

test('a process that comes to its end loses none of 10,000 events', { timeout: 60_000 }, async (t) => {
  const sidecar = await serveSidecar(t);
  const { out, exit } = await run(publishAll, { EVALWORKER_URL: sidecar.url });
  assert.deepEqual(await exit, [0, null], out.stderr);
  assert.equal(idsOf(sidecar).size, EVENTS);
});

test('a prepare hook that answers later loses nothing at the end', { timeout: 60_000 }, async (t) => {
  const sidecar = await serveSidecar(t);
  const code = `evalworker.configure({ prepare: async (event) => (await new Promise((r) => setTimeout(r, 50).unref()), event) });
    for (let i = 0; i < 50; i++) evalworker.observe(() => 'Hello.', { request_id: 'r' + i });`;
  const { out, exit } = await run(code, { EVALWORKER_URL: sidecar.url });
  assert.deepEqual(await exit, [0, null], out.stderr);
  assert.equal(idsOf(sidecar).size, 50);
});

test('a sidecar that hangs or is away does not hold up the end of a process', { timeout: 60_000 }, async (t) => {
  const hanging = createServer(() => {}).listen(0, '127.0.0.1');
  await once(hanging, 'listening');
  t.after(() => (hanging.closeAllConnections(), hanging.close()));
  for (const url of [`http://127.0.0.1:${hanging.address().port}`, 'http://127.0.0.1:9']) {
    const code = `evalworker.configure({ timeout: 600000, exitTimeout: 200, linger: 1 });
      evalworker.observe(() => 'Hello.', {});
      process.on('exit', () => console.log(evalworker.stats().waiting));`;
    const { out, exit } = await run(code, { EVALWORKER_URL: url });
    assert.deepEqual(await exit, [0, null], out.stderr);
    assert.equal(out.stdout.trim(), '1');
  }
});

test('what the end of a process loses is its last line', { timeout: 60_000 }, async (t) => {
  const hanging = createServer(() => {}).listen(0, '127.0.0.1');
  await once(hanging, 'listening');
  t.after(() => (hanging.closeAllConnections(), hanging.close()));
  const silent = `http://127.0.0.1:${hanging.address().port}`;
  const refused = 'http://127.0.0.1:9 does not answer: ECONNREFUSED';
  const publish = (options) => `evalworker.configure({ exitTimeout: 300, linger: 1${options} }); for (let i = 0; i < 3; i++) evalworker.observe(() => 'Hello.');`;
  for (const [url, code, status, want] of [
    ['http://127.0.0.1:9', publish(''), 0, `3 events lost at exit: ${refused}`],
    ['http://127.0.0.1:9', `${publish('')} setTimeout(() => process.exit(3), 300)`, 3, `3 events lost at exit: ${refused}`],
    ['http://127.0.0.1:9', `${publish('')} setTimeout(() => evalworker.close(1).then(() => process.exit(0)), 300)`, 0, `3 events lost at close: ${refused}`],
    [silent, publish(''), 0, `3 events lost at exit: ${silent} has not answered in time`],
    ['http://127.0.0.1:9', publish(', logger: { warn: (text) => console.error(text) }'), 0, `evalworker: 3 events lost at exit: ${refused}`],
  ]) {
    const { out, exit } = await run(code, { EVALWORKER_URL: url });
    assert.deepEqual(await exit, [status, null], out.stderr);
    const lines = out.stderr.split('\n').filter((line) => line.includes('events lost'));
    assert.equal(lines.length, 1, out.stderr);
    assert.ok(lines[0].endsWith(want), out.stderr);
  }
  const sidecar = await serveSidecar(t);
  const { out, exit } = await run(publish(''), { EVALWORKER_URL: sidecar.url });
  await exit;
  assert.deepEqual([out.stderr, sidecar.events().length], ['', 3]);
});

test('a logger that takes such lines is told when an outage is over', async (t) => {
  const sidecar = await serveSidecar(t);
  const told = [];
  const publisher = new evalworker.Publisher({ url: sidecar.url, linger: 1, logger: { warn: (text) => told.push(['warn', text]), info: (text) => told.push(['info', text]) } });
  for (let i = 0; i < 2; i++) { // the second outage is of the same minute, and neither its begin nor its end is told
    sidecar.answers.push([503, 'application/json', '{}']);
    publisher.publish({ request_id: String(i) });
    assert.equal(await publisher.flush(10_000), true);
  }
  assert.equal(await publisher.close(), true);
  assert.deepEqual(told, [['warn', `evalworker: ${sidecar.url} answers 503; 1 events wait`], ['info', `evalworker: ${sidecar.url} answers again; 1 events wait`]]);
});

test('importing publishes nothing and leaves no listener', { timeout: 60_000 }, async (t) => {
  const sidecar = await serveSidecar(t);
  const { out, exit } = await run(`console.log(process.listenerCount('beforeExit'), process._getActiveHandles().length, Object.keys(evalworker).length);`, { EVALWORKER_URL: sidecar.url });
  await exit;
  assert.match(out.stdout, /^0 \d 12\n$/);
  assert.equal(sidecar.requests.length, 0);
});

test('a handler of a serverless function has sent its event when flush resolves', async (t) => {
  const sidecar = await serveSidecar(t);
  evalworker.configure({ url: sidecar.url, linger: 60_000 });
  const handler = async (question) => {
    const answer = await evalworker.observe(async () => 'Hello.', { input: question });
    await evalworker.flush(2000);
    return answer;
  };
  assert.equal(await handler('Hi'), 'Hello.');
  assert.equal(sidecar.events().length, 1);
});

test('flush waits for what was published before, not for what comes after', { timeout: 20_000 }, async (t) => {
  const sidecar = await serveSidecar(t);
  const publisher = new evalworker.Publisher({ url: sidecar.url, linger: 1 });
  let n = 0;
  const more = setInterval(() => publisher.publish({ request_id: String(n++) }), 1);
  t.after(() => clearInterval(more));
  publisher.publish({ request_id: 'first' });
  assert.equal(await publisher.flush(10_000), true);
  assert.equal(sidecar.events()[0].request_id, 'first');
  clearInterval(more);
  await publisher.close();
});

test('a sidecar that is down shows in stats, and its return sends everything', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address();
  await new Promise((resolve) => taken.close(resolve));
  const publisher = new evalworker.Publisher({ url: `http://user:password@127.0.0.1:${port}`, linger: 1, maxEvents: 2, logger: { warn() {} } });
  for (const id of ['a', 'b', 'c']) publisher.publish({ request_id: id });
  assert.equal(await publisher.flush(150), false);
  const { retries, dropped, waiting, lastError } = publisher.stats();
  assert.ok(retries >= 1);
  assert.deepEqual([dropped, waiting], [1, 2]);
  assert.match(lastError, /127.0.0.1:\d+ does not answer: ECONNREFUSED/);
  assert.ok(!lastError.includes('password'));
  const sidecar = await serve([], (body) => [202, 'application/json', JSON.stringify({ accepted: body.split('\n').length - 1 })], port);
  t.after(sidecar.close);
  assert.equal(await publisher.close(10_000), true);
  assert.deepEqual([publisher.stats().accepted, publisher.stats().waiting], [2, 0]);
});

test('queues are bounded in bytes', async () => {
  const publisher = new evalworker.Publisher({ url: 'http://127.0.0.1:9', maxBytes: 1000, logger: { warn() {} } });
  for (let i = 0; i < 100; i++) publisher.publish({ request_id: 'é'.repeat(50) });
  assert.equal(publisher.stats().waiting, 8); // of 118 bytes
  assert.equal(await publisher.close(0), false);
  assert.equal(publisher.stats().dropped, 100);
});

test('with the address "off" nothing is sent and nothing is told', async () => {
  const told = [];
  const publisher = new evalworker.Publisher({ url: 'off', logger: { warn: (text) => told.push(text) } });
  assert.equal(publisher.publish({ request_id: 'a' }), false);
  assert.equal(await publisher.close(10), true);
  assert.deepEqual([told.length, publisher.stats().dropped], [0, 0]);
});

test('events that a prepare hook keeps are bounded in bytes as well', async () => {
  const publisher = new evalworker.Publisher({ url: 'http://127.0.0.1:9', maxBytes: 1000, logger: { warn() {} }, prepare: () => new Promise(() => {}) });
  for (let i = 0; i < 100; i++) publisher.publish({ request_id: 'é'.repeat(50) });
  assert.deepEqual([publisher.stats().waiting, publisher.stats().dropped], [8, 92]);
  assert.equal(publisher.publish('no event'), false);
  assert.equal(publisher.publish(null), false);
});

test('a process whose prepare hook never answers ends', { timeout: 30_000 }, async () => {
  const { exit } = await run(`evalworker.configure({ exitTimeout: 100, prepare: () => new Promise(() => {}) }); evalworker.observe(() => 1);`, { EVALWORKER_URL: 'http://127.0.0.1:9' });
  assert.deepEqual(await exit, [0, null]);
});
