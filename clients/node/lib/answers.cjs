'use strict';

/** Puts a whole answer into the event: as it came, and what the event has fields for. */
function recordAnswer(call, body) {
  if (body === undefined || body === null) return;
  const event = call.event;
  event.output = body;
  if (typeof body !== 'object') return;
  if (typeof body.model === 'string') event.model = body.model;
  recordUsage(call, body.usage);
  const reason = body.choices?.[0]?.finish_reason ?? body.stop_reason;
  if (reason) event.finish_reason = reason;
  if (body.object === 'response') {
    event.finish_reason = body.incomplete_details?.reason ?? body.status ?? undefined;
    if (body.status === 'failed') {
      event.status = 'error';
      event.error_type = body.error?.code;
    }
  }
}

/** Reads tokens. Anthropic counts cached input apart; here it is part of the input, as everywhere else. */
function recordUsage(call, usage) {
  if (!usage || typeof usage !== 'object') return;
  let input = usage.prompt_tokens;
  if (input === undefined && Number.isInteger(usage.input_tokens)) {
    input = usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0);
  }
  const output = usage.completion_tokens ?? usage.output_tokens;
  if (Number.isInteger(input)) call.event.input_tokens = input;
  if (Number.isInteger(output)) call.event.output_tokens = output;
  const total = usage.total_tokens ?? (Number.isInteger(input) && Number.isInteger(output) ? input + output : undefined);
  if (Number.isInteger(total)) call.event.total_tokens = total;
}

const MOST_PARTS = 1000; // of one answer; a stream cannot ask for more memory by an index

/** Joins the chunks of a chat completion to the answer that it would have been. */
class ChatPieces {
  #whole = { object: 'chat.completion' };
  #choices = new Map();

  /** Takes a chunk; reports whether it holds something that a user sees. */
  add(chunk) {
    for (const name of ['id', 'model', 'created', 'usage', 'system_fingerprint', 'service_tier']) {
      if (chunk?.[name] != null) this.#whole[name] = chunk[name];
    }
    let shown = false;
    for (const piece of chunk?.choices ?? []) {
      const index = piece.index ?? 0;
      if (!this.#choices.has(index)) this.#choices.set(index, { index, message: { role: 'assistant', content: null } });
      const choice = this.#choices.get(index);
      if (piece.finish_reason != null) choice.finish_reason = piece.finish_reason;
      for (const [name, value] of Object.entries(piece.delta ?? {})) {
        if (name === 'tool_calls') {
          this.#addCalls(choice.message, value ?? []);
          shown ||= value?.length > 0;
        } else if (typeof value === 'string' && name !== 'role') {
          choice.message[name] = (choice.message[name] ?? '') + value;
          shown ||= value !== '';
        } else if (value != null) choice.message[name] = value;
      }
    }
    return shown;
  }

  #addCalls(message, pieces) {
    message.tool_calls ??= [];
    for (const piece of pieces) {
      const index = piece.index ?? Math.max(message.tool_calls.length - 1, 0);
      if (!(index >= 0 && index < MOST_PARTS)) continue;
      const call = (message.tool_calls[index] ??= { type: 'function', function: { name: '', arguments: '' } });
      if (piece.id) call.id = piece.id;
      if (piece.type) call.type = piece.type;
      for (const [name, value] of Object.entries(piece.function ?? {})) {
        if (typeof value === 'string') call.function[name] = (call.function[name] ?? '') + value;
      }
    }
  }

  answer() {
    return { ...this.#whole, choices: [...this.#choices.values()].sort((a, b) => a.index - b.index) };
  }
}

/** Keeps the last whole response that a stream of the Responses API names. */
class ResponsePieces {
  #whole;
  #text = '';

  add(event) {
    if (event?.response) this.#whole = event.response;
    if (event?.type === 'response.output_text.delta') this.#text += event.delta ?? '';
    return Boolean(event?.type?.endsWith('.delta'));
  }

  answer() {
    if (this.#whole && !this.#whole.output?.length && this.#text) {
      return { ...this.#whole, output: [{ type: 'message', role: 'assistant', content: [{ type: 'output_text', text: this.#text }] }] }; // it was cut off
    }
    return this.#whole;
  }
}

/** Joins the events of Anthropic's stream to the message that it would have been. */
class MessagePieces {
  #whole = { type: 'message', role: 'assistant', content: [] };
  #arguments = new Map();

  add(event) {
    const index = event?.index ?? 0;
    if (!(index >= 0 && index < MOST_PARTS)) return false;
    switch (event?.type) {
      case 'message_start':
        this.#whole = { ...event.message, content: [] };
        return false;
      case 'content_block_start':
        this.#whole.content[index] = { ...event.content_block };
        return false;
      case 'content_block_delta':
        this.#addDelta(index, event.delta ?? {});
        return true;
      case 'message_delta':
        for (const [name, value] of Object.entries(event.delta ?? {})) if (value != null) this.#whole[name] = value;
        this.#whole.usage = { ...this.#whole.usage, ...Object.fromEntries(Object.entries(event.usage ?? {}).filter(([, v]) => v != null)) };
    }
    return false;
  }

  #addDelta(index, delta) {
    const block = this.#whole.content[index];
    if (!block) return;
    if (delta.type === 'input_json_delta') {
      this.#arguments.set(index, (this.#arguments.get(index) ?? '') + (delta.partial_json ?? ''));
      return;
    }
    for (const name of ['text', 'thinking', 'signature']) {
      if (typeof delta[name] === 'string') block[name] = (block[name] ?? '') + delta[name];
    }
    if (delta.citation) block.citations = [...(block.citations ?? []), delta.citation];
  }

  answer() {
    for (const [index, text] of this.#arguments) {
      try {
        this.#whole.content[index].input = text === '' ? {} : JSON.parse(text);
      } catch {
        this.#whole.content[index].input = text; // cut off in the middle: the text is what the model wrote
      }
    }
    return this.#whole;
  }
}

module.exports = { recordAnswer, recordUsage, ChatPieces, ResponsePieces, MessagePieces };
