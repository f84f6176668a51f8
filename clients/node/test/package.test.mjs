import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as esm from 'evalworker';

const folder = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);
const require = createRequire(import.meta.url);

test('import and require give the same functions, and one publisher', () => {
  const cjs = require('evalworker');
  assert.deepEqual(Object.keys(esm).filter((name) => name !== 'default').sort(), Object.keys(cjs).sort());
  assert.equal(esm.publisher(), cjs.publisher());
});

test('the types hold for the providers\' libraries', { timeout: 120_000 }, async () => {
  const tsc = require.resolve('typescript/package.json').replace('package.json', require('typescript/package.json').bin.tsc);
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2022,dom,dom.asynciterable'];
  const { stdout } = await run(process.execPath, [tsc, ...options, 'test/types/client.mts', 'test/types/client.cts'], { cwd: folder }).catch((error) => error);
  assert.equal(stdout, '');
});

test('the package holds what it should and depends on nothing', { timeout: 60_000 }, async () => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--offline'], { cwd: folder });
  const answer = JSON.parse(stdout);
  const [{ files }] = Array.isArray(answer) ? answer : Object.values(answer);
  const names = files.map(({ path }) => path).filter((path) => !/^lib\/\w+\.cjs$/.test(path));
  assert.deepEqual(names.sort(), ['LICENSE', 'README.md', 'index.cjs', 'index.d.cts', 'index.d.mts', 'index.mjs', 'package.json']);
  const { dependencies, peerDependencies } = require('evalworker/package.json');
  assert.deepEqual([dependencies, peerDependencies], [undefined, undefined]);
});
