'use strict';

const { Call, checkFields, knownFields, snapshot } = require('./call.cjs');

/**
 * Returns a middleware of the Vercel AI SDK:
 * `wrapLanguageModel({ model, middleware: evalworker.middleware({ prompt_name: 'triage' }) })`.
 */
function middleware(fields = {}) {
  checkFields(fields);
  const begin = (params, model) => {
    const own = params?.providerOptions?.evalworker;
    const call = new Call(knownFields(own), { provider: model?.provider, model: model?.modelId, ...fields });
    call.event.input = snapshot(params?.prompt);
    if (params?.tools?.length) call.event.tools = snapshot(params.tools);
    return call;
  };
  return {
    specificationVersion: 'v3',
    wrapGenerate: async ({ doGenerate, params, model }) => {
      const call = begin(params, model);
      try {
        const result = await doGenerate();
        end(call, { content: snapshot(result.content), finishReason: result.finishReason, usage: result.usage }, result.response?.modelId);
        return result;
      } catch (error) {
        call.finish(error);
        throw error;
      }
    },
    wrapStream: async ({ doStream, params, model }) => {
      const call = begin(params, model);
      call.event.streaming = true;
      try {
        const result = await doStream();
        return { ...result, stream: result.stream.pipeThrough(watcher(call)) };
      } catch (error) {
        call.finish(error);
        throw error;
      }
    },
  };
}

/** Returns a transform that passes a stream's parts on and joins them to the answer. */
function watcher(call) {
  const texts = new Map();
  const content = [];
  let last = {};
  const done = (error) => {
    end(call, { content, finishReason: last.finishReason, usage: last.usage }, undefined, error);
  };
  return new TransformStream({
    transform(part, controller) {
      try {
        if (part.type === 'text-delta' || part.type === 'reasoning-delta') {
          const key = part.type + part.id;
          if (!texts.has(key)) {
            texts.set(key, { type: part.type === 'text-delta' ? 'text' : 'reasoning', text: '' });
            content.push(texts.get(key));
          }
          texts.get(key).text += part.delta ?? part.textDelta ?? '';
          call.firstToken();
        } else if (part.type === 'tool-call' || part.type === 'source' || part.type === 'file') {
          content.push(snapshot(part));
          call.firstToken();
        } else if (part.type === 'finish') last = part;
        else if (part.type === 'error') last = { finishReason: 'error', error: part.error };
        else if (part.type === 'response-metadata' && part.modelId) call.event.model = part.modelId;
      } catch {
        // a part in a form that is not known; the application has it anyway
      }
      controller.enqueue(part);
    },
    flush: () => done(last.error),
    cancel: () => done(Object.assign(new Error('left early'), { name: 'CancelledError' })),
  });
}

function end(call, answer, model, error) {
  const event = call.event;
  const reason = answer.finishReason?.unified ?? answer.finishReason;
  event.output = { ...answer, finishReason: reason };
  if (reason) event.finish_reason = reason;
  if (model) event.model = model;
  const count = (n) => (Number.isInteger(n?.total ?? n) ? n?.total ?? n : undefined);
  const usage = answer.usage ?? {};
  event.input_tokens = count(usage.inputTokens);
  event.output_tokens = count(usage.outputTokens);
  event.total_tokens = count(usage.totalTokens) ?? (event.input_tokens !== undefined && event.output_tokens !== undefined ? event.input_tokens + event.output_tokens : undefined);
  call.finish(error);
}

module.exports = { middleware };
