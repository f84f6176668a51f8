import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateText, streamText, wrapLanguageModel } from 'ai';
import { MockLanguageModelV3, simulateReadableStream } from 'ai/test';
import * as evalworker from '../index.mjs';
import { serveSidecar } from './support/servers.mjs';

const usage = { inputTokens: { total: 3, noCache: 3, cacheRead: 0, cacheWrite: 0 }, outputTokens: { total: 2, text: 2, reasoning: 0 } };

test('generateText and streamText', async (t) => {
  const sidecar = await serveSidecar(t);
  evalworker.configure({ publisher: new evalworker.Publisher({ url: sidecar.url, linger: 1 }) });
  const model = wrapLanguageModel({
    model: new MockLanguageModelV3({
      modelId: 'm1',
      provider: 'mock',
      doGenerate: async () => ({ content: [{ type: 'text', text: 'Hello.' }], finishReason: { unified: 'stop', raw: 'stop' }, usage, warnings: [] }),
      doStream: async () => ({
        stream: simulateReadableStream({
          chunks: [
            { type: 'stream-start', warnings: [] },
            { type: 'text-start', id: '1' },
            { type: 'text-delta', id: '1', delta: 'Hel' },
            { type: 'text-delta', id: '1', delta: 'lo.' },
            { type: 'text-end', id: '1' },
            { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage },
          ],
        }),
      }),
    }),
    middleware: evalworker.middleware({ prompt_name: 'triage' }),
  });
  assert.equal((await generateText({ model, prompt: 'Hi' })).text, 'Hello.');
  assert.equal(await streamText({ model, prompt: 'Hi' }).text, 'Hello.');
  await evalworker.flush(10_000);
  const events = sidecar.events();
  assert.equal(events.length, 2);
  for (const event of events) {
    assert.equal(event.output.content[0].text, 'Hello.');
    assert.deepEqual(
      [event.prompt_name, event.model, event.provider, event.finish_reason, event.input_tokens, event.output_tokens, event.status],
      ['triage', 'm1', 'mock', 'stop', 3, 2, 'success'],
    );
  }
  assert.ok(events[1].first_token_latency_ms >= 0 && events[1].streaming);
});
