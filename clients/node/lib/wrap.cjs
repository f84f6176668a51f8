'use strict';

const { answerFields } = require('./answers.cjs');
const { Call, current, lenient, mistake } = require('./call.cjs');
const { checkFields, readFields } = require('./fields.cjs');
const { ChatPieces, MessagePieces, ResponsePieces } = require('./pieces.cjs');
const { Watch, onceLost, watchIterable } = require('./stream.cjs');

// Where requests are made; the libraries' helpers (parse, stream, runTools) call these.
const METHODS = [
  [['chat', 'completions'], ChatPieces],
  [['responses'], ResponsePieces],
  [['messages'], MessagePieces],
  [['beta', 'messages'], MessagePieces],
  [['completions'], ChatPieces],
];
const INPUTS = ['messages', 'input', 'system', 'instructions', 'prompt'];
const MARK = Symbol('evalworker'); // of a method that is wrapped: its fields

/**
 * Lets a client of OpenAI's or Anthropic's library publish every request that it makes,
 * and returns it. Answers, streams and errors are those of the library.
 */
function wrap(client, fields = {}) {
  checkFields(fields);
  if (fields.request_id !== undefined) throw new TypeError('evalworker: a request_id is that of one request; set it in a scope');
  const own = readFields(fields, mistake);
  let wrapped = 0;
  for (const [path, Pieces] of METHODS) {
    const resource = path.reduce((at, name) => at?.[name], client);
    if (typeof resource?.create !== 'function' || (path[0] === 'completions' && !client.chat)) continue; // those of Anthropic have another form
    wrapped++;
    if (resource.create[MARK]) Object.assign(resource.create[MARK], own);
    else resource.create = wrapCreate(resource.create.bind(resource), Pieces, { provider: providerOf(client), ...own });
  }
  if (wrapped === 0) {
    throw new TypeError(`evalworker: ${client?.constructor?.name ?? client} is no client that wrap knows: OpenAI, AzureOpenAI, Anthropic; use observe for others`);
  }
  countRetries(client);
  if (typeof client.withOptions === 'function' && !client.withOptions[MARK]) {
    const withOptions = client.withOptions.bind(client);
    client.withOptions = (...args) => wrap(withOptions(...args), fields);
    client.withOptions[MARK] = true;
  }
  return client;
}

function wrapCreate(create, Pieces, fields) {
  const wrapped = (body, options, ...rest) => {
    const { evalworker: own, ...others } = options ?? {};
    if (own) options = others;
    let call;
    try {
      call = new Call(lenient(own), { model: body?.model, ...fields });
      call.set({ input: inputOf(body), tools: body?.tools, streaming: body?.stream ? true : undefined });
    } catch (error) {
      mistake(`a request is not published: ${error?.name}`);
      return create(body, options, ...rest);
    }
    let promise;
    try {
      promise = current.run(call, () => create(body, options, ...rest));
    } catch (error) {
      call.fail(error);
      throw error;
    }
    return watchAnswer(promise, call, Pieces);
  };
  wrapped[MARK] = fields;
  return wrapped;
}

function inputOf(body) {
  const asked = INPUTS.filter((name) => body?.[name] !== undefined);
  return asked.length === 1 && asked[0] === 'messages' ? body.messages : Object.fromEntries(asked.map((name) => [name, body[name]]));
}

/**
 * Looks at the answer when the application asks for it. The promise of the libraries reads the body only then, so that
 * `asResponse` still gives it unread; a request whose answer nobody asks for is published when its promise is garbage.
 */
function watchAnswer(promise, call, Pieces) {
  const seen = (answer) => {
    try {
      call.isOf(answer);
      if (typeof answer?.[Symbol.asyncIterator] === 'function') return watchIterable(answer, new Watch(call, new Pieces(), answer.controller?.signal));
      call.set(answerFields(answer));
      call.finish();
    } catch (error) {
      mistake(`a request is not published: ${error?.name}`);
    }
    return answer;
  };
  const failed = (error) => {
    call.fail(error);
    throw error;
  };
  if (typeof promise?.parseResponse !== 'function' || !promise.responsePromise) return Promise.resolve(promise).then(seen, failed);
  const parse = promise.parseResponse;
  let arrived; // milliseconds to the answer's beginning
  const asked = onceLost(promise.responsePromise, () => call.set({ llm_latency_ms: arrived }).finish());
  promise.parseResponse = (...args) => {
    asked();
    return parse(...args).then(seen, failed);
  };
  promise.responsePromise.then(
    () => (arrived = call.elapsed()),
    (error) => call.fail(error),
  );
  return promise;
}

/** Returns the name of the API that a library speaks, wherever its server is: `provider` as a field says who answers. A class of the application's own counts as that of the library. */
function providerOf(client) {
  let kinds = '';
  for (let at = client?.constructor; at?.name; at = Object.getPrototypeOf(at)) kinds += at.name.toLowerCase() + ' ';
  try {
    if (new URL(client.baseURL).hostname.endsWith('.azure.com')) return 'azure';
  } catch {
    // no address of its own
  }
  return ['azure', 'bedrock', 'vertex', 'openai', 'anthropic'].find((name) => kinds.includes(name)) ?? kinds.split(' ')[0];
}

/** Counts the attempts of a request: the libraries say in a header which one it is. */
function countRetries(client) {
  if (typeof client.fetch !== 'function' || client.fetch[MARK]) return;
  const fetch = client.fetch;
  client.fetch = function (url, init) {
    const call = current.getStore();
    if (call) {
      const n = Number(new Headers(init?.headers).get('x-stainless-retry-count') ?? NaN);
      if (Number.isInteger(n)) call.set({ retry_count: n });
    }
    return fetch.call(this, url, init);
  };
  client.fetch[MARK] = true;
}

module.exports = { wrap };
