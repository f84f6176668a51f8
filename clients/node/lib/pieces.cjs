'use strict';

const { answerFields } = require('./answers.cjs');
const { TooLargeError } = require('./plain.cjs');

const MAX_INDEX = 1000; // parts of one answer; a stream cannot ask for more memory by an index
const MAX_TEXT = 1 << 20; // characters of one answer, which is more than an event may hold
const FIXED = new Set(['index', 'type', 'role', 'id', 'name']); // servers repeat them in each piece

/** Joins the pieces of a stream. add reports whether a piece holds something that a user sees. */
class Pieces {
  #room = MAX_TEXT;
  error; // that a piece has told

  /** Counts what is kept. */
  keep(text) {
    this.#room -= text.length + 1;
    if (this.#room < 0) throw new TooLargeError('larger than an event may be');
    return text;
  }

  /** Merges a delta into a part of an answer: texts grow, items of lists are merged by their index or added, the rest is set. */
  merge(part, delta) {
    for (const [name, value] of Object.entries(delta)) {
      if (value === null || value === undefined) part[name] ??= value ?? null;
      else if (typeof value === 'string' && !FIXED.has(name)) part[name] = (part[name] ?? '') + this.keep(value);
      else if (Array.isArray(value)) this.#mergeList((part[name] ??= []), value);
      else if (typeof value === 'object') this.merge((part[name] ??= {}), value);
      else part[name] = value;
    }
    return part;
  }

  #mergeList(list, items) {
    for (const item of items) {
      if (item === null || typeof item !== 'object') list.push(this.keep(item));
      else if (Number.isInteger(item.index)) {
        const { index, ...rest } = item;
        if (index >= 0 && index < MAX_INDEX) list[index] = this.merge(list[index] ?? {}, rest);
      } else {
        this.keep('');
        list.push(item);
      }
    }
  }

  fields() {
    return answerFields(this.answer());
  }
}

/** Joins the chunks of a chat completion, or of a text completion, to the answer that it would have been. */
class ChatPieces extends Pieces {
  #whole = {};
  #choices = [];

  add(chunk) {
    const { choices, object, ...rest } = chunk;
    for (const [name, value] of Object.entries(rest)) if (value != null) this.#whole[name] = value;
    this.#whole.object = typeof object === 'string' ? object.replace(/\.chunk$/, '') : 'chat.completion';
    let shown = false;
    for (const { index = 0, delta, text, logprobs, ...more } of choices ?? []) {
      if (!(index >= 0 && index < MAX_INDEX)) continue;
      const choice = (this.#choices[index] ??= { index, ...(delta ? { message: { role: 'assistant', content: null } } : { text: '' }) });
      for (const [name, value] of Object.entries(more)) choice[name] = value ?? choice[name] ?? null; // each piece has it whole
      if (logprobs !== undefined) this.merge(choice, { logprobs });
      if (delta) this.merge(choice.message, delta);
      if (text) choice.text += this.keep(text);
      shown ||= Boolean(text) || Object.entries(delta ?? {}).some(([name, value]) => name !== 'role' && value != null && value.length !== 0);
    }
    return shown;
  }

  answer() {
    for (const { message } of this.#choices.filter(Boolean)) {
      if (message?.tool_calls) message.tool_calls = message.tool_calls.filter(Boolean).map((call) => ({ type: 'function', ...call }));
    }
    return { ...this.#whole, choices: this.#choices.filter(Boolean) };
  }
}

/** Keeps the last whole response that a stream of the Responses API names, and the items that came since. */
class ResponsePieces extends Pieces {
  #whole;
  #items = [];

  add(event) {
    if (event.response) this.#whole = event.response;
    if (event.type === 'error') this.error = { name: event.code ?? 'error' };
    const index = event.output_index;
    if (Number.isInteger(index) && index >= 0 && index < MAX_INDEX) {
      if (event.item) this.#items[index] = structuredClone(event.item);
      else this.#addTo(this.#items[index], event);
    }
    return event.type.endsWith('.delta');
  }

  #addTo(item, { type, delta, part, content_index: at }) {
    if (!item) return;
    if (part && at < MAX_INDEX) (item.content ??= [])[at] = { ...part };
    if (typeof delta !== 'string') return;
    if (type === 'response.function_call_arguments.delta') item.arguments = (item.arguments ?? '') + this.keep(delta);
    else if (type === 'response.custom_tool_call_input.delta') item.input = (item.input ?? '') + this.keep(delta);
    else if (type === 'response.output_text.delta' && at < MAX_INDEX) {
      const text = ((item.content ??= [])[at] ??= { type: 'output_text', text: '' });
      text.text = (text.text ?? '') + this.keep(delta);
    } else if (type === 'response.refusal.delta' && at < MAX_INDEX) {
      const refusal = ((item.content ??= [])[at] ??= { type: 'refusal', refusal: '' });
      refusal.refusal = (refusal.refusal ?? '') + this.keep(delta);
    }
  }

  answer() {
    if (!this.#whole || this.#whole.output?.length > 0 || this.#items.length === 0) return this.#whole;
    return { ...this.#whole, output: this.#items.filter(Boolean) }; // it was cut off
  }
}

/** Joins the events of Anthropic's stream to the message that it would have been. */
class MessagePieces extends Pieces {
  #whole = { type: 'message', role: 'assistant' };
  #content = [];
  #arguments = [];

  add(event) {
    const { type, index = 0 } = event;
    if (!(index >= 0 && index < MAX_INDEX)) return false;
    if (type === 'message_start') this.#whole = { ...event.message };
    else if (type === 'content_block_start') this.#content[index] = { ...event.content_block };
    else if (type === 'content_block_delta') return this.#addDelta(index, event.delta);
    else if (type === 'message_delta') {
      const { type: _, delta, usage, ...more } = event;
      for (const [name, value] of Object.entries({ ...more, ...delta })) if (value != null) this.#whole[name] = value;
      for (const [name, value] of Object.entries(usage ?? {})) if (value != null) this.#whole.usage = { ...this.#whole.usage, [name]: value };
    }
    return false;
  }

  #addDelta(index, { type, partial_json, citation, ...delta }) {
    const block = this.#content[index];
    if (!block) return false;
    if (type === 'input_json_delta') this.#arguments[index] = (this.#arguments[index] ?? '') + this.keep(partial_json ?? '');
    else if (citation) block.citations = [...(block.citations ?? []), citation];
    else this.merge(block, delta);
    return true;
  }

  answer() {
    const content = this.#content.map((block, index) => {
      const text = this.#arguments[index];
      if (text === undefined) return block;
      try {
        return { ...block, input: text === '' ? {} : JSON.parse(text) };
      } catch {
        return { ...block, input: text }; // cut off in the middle: the text is what the model wrote
      }
    });
    return { ...this.#whole, content: content.filter(Boolean) };
  }
}

/** Joins the pieces of any other stream: texts to one, those of a provider as above, and all else to a list. */
class AnyPieces extends Pieces {
  #inner;
  #list = [];

  add(piece) {
    if (!this.#inner && this.#list.length === 0) this.#inner = knownPieces(piece);
    if (this.#inner) return this.#inner.add(piece);
    const shown = typeof piece === 'string' || piece instanceof Uint8Array ? piece : JSON.stringify(piece) ?? '';
    this.keep(shown);
    this.#list.push(piece instanceof Uint8Array ? Buffer.from(piece).toString('utf8') : piece);
    return true;
  }

  fields() {
    if (this.#inner) return this.#inner.fields();
    if (this.#list.every((piece) => typeof piece === 'string')) return { output: this.#list.join('') };
    const texts = this.#list.map((piece) => piece?.content ?? piece?.message?.content);
    const last = answerFields(this.#list[this.#list.length - 1]);
    if (texts.every((text) => typeof text === 'string')) return { ...last, output: texts.join('') }; // LangChain, Ollama
    return { ...last, output: this.#list };
  }
}

function knownPieces(piece) {
  if (piece?.object === 'chat.completion.chunk' || piece?.choices?.[0]?.delta) return new ChatPieces();
  if (piece?.type === 'message_start') return new MessagePieces();
  if (typeof piece?.type === 'string' && piece.type.startsWith('response.')) return new ResponsePieces();
  return undefined;
}

module.exports = { AnyPieces, ChatPieces, MessagePieces, Pieces, ResponsePieces };
