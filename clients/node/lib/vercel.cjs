'use strict';

const { answerFields } = require('./answers.cjs');
const { Call, lenient, mistake } = require('./call.cjs');
const { checkFields, readFields } = require('./fields.cjs');
const { Pieces } = require('./pieces.cjs');
const { Watch, watchReadable } = require('./stream.cjs');

/**
 * Returns a middleware of the Vercel AI SDK:
 * `wrapLanguageModel({ model, middleware: evalworker.middleware({ prompt_name: 'triage' }) })`.
 * Each attempt of the SDK is a request of its own; retry_count says which one it is.
 */
function middleware(fields = {}) {
  checkFields(fields);
  const own = readFields(fields, mistake);
  const failures = new WeakMap(); // of a prompt, which the SDK passes again with the next attempt

  function begin(params, model) {
    const call = new Call(lenient(params?.providerOptions?.evalworker), { provider: model?.provider, model: model?.modelId, ...own });
    return call.set({ input: params?.prompt, tools: params?.tools?.length ? params.tools : undefined, retry_count: failures.get(params?.prompt) ?? 0 });
  }

  async function run(call, request, prompt) {
    try {
      const result = await request();
      failures.delete(prompt);
      return result;
    } catch (error) {
      if (prompt && typeof prompt === 'object') failures.set(prompt, (failures.get(prompt) ?? 0) + 1);
      call.fail(error);
      throw error;
    }
  }

  return {
    specificationVersion: 'v3',
    wrapGenerate: async ({ doGenerate, params, model }) => {
      const call = begin(params, model);
      const result = await run(call, doGenerate, params?.prompt);
      const { request: _, response, ...answer } = result;
      call.set(resultFields({ ...answer, response: response && { ...response, headers: undefined, body: undefined } })).finish();
      return result;
    },
    wrapStream: async ({ doStream, params, model }) => {
      const call = begin(params, model);
      call.set({ streaming: true });
      const result = await run(call, doStream, params?.prompt);
      return { ...result, stream: watchReadable(result.stream, new Watch(call, new PartPieces(), params?.abortSignal)) };
    },
  };
}

/** Returns an answer's fields, with the finish reason in the SDK's one form for all providers. */
function resultFields(answer) {
  const reason = answer.finishReason?.unified ?? answer.finishReason;
  return answerFields({ ...answer, finishReason: reason });
}

/** Joins the parts of a stream to the answer that it would have been. */
class PartPieces extends Pieces {
  #answer = { content: [] };
  #texts = new Map(); // by kind and id

  add(part) {
    const { type } = part;
    const kind = /^(text|reasoning)-(start|delta|end)$/.exec(type)?.[1];
    if (kind) this.#addText(kind, part);
    else if (/^(tool-call|tool-result|tool-approval-request|source|file)$/.test(type)) {
      this.keep(typeof part.data === 'string' ? '' : JSON.stringify(part) ?? '');
      this.#answer.content.push(part);
    } else if (type === 'finish') {
      const { type: _, ...last } = part;
      Object.assign(this.#answer, last);
    } else if (type === 'response-metadata') {
      const { type: _, ...response } = part;
      this.#answer.response = response;
    } else if (type === 'stream-start') this.#answer.warnings = part.warnings;
    else if (type === 'error') this.error = part.error ?? new Error('the provider sends an error');
    return type.endsWith('-delta') || type === 'tool-call' || type === 'file';
  }

  #addText(kind, { id, delta, textDelta, providerMetadata }) {
    let entry = this.#texts.get(kind + id);
    if (!entry) {
      this.keep('');
      entry = { type: kind, text: '' };
      this.#texts.set(kind + id, entry);
      this.#answer.content.push(entry);
    }
    entry.text += this.keep(delta ?? textDelta ?? '');
    if (providerMetadata) entry.providerMetadata = providerMetadata;
  }

  fields() {
    return resultFields(this.#answer);
  }
}

module.exports = { middleware };
