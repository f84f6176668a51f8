'use strict';

const { Call, checkFields, current, knownFields, snapshot } = require('./call.cjs');
const { recordAnswer, ChatPieces, ResponsePieces, MessagePieces } = require('./answers.cjs');

// Where requests are made; the libraries' helpers (parse, stream, runTools) call these.
const METHODS = [
  [['chat', 'completions'], ChatPieces],
  [['responses'], ResponsePieces],
  [['messages'], MessagePieces],
];
const INPUTS = ['messages', 'input', 'system', 'instructions', 'prompt'];
const MARK = Symbol('evalworker');

/**
 * Lets a client of OpenAI's or Anthropic's library publish every request that it makes,
 * and returns it. Answers, streams and errors are those of the library.
 */
function wrap(client, fields = {}) {
  checkFields(fields);
  let wrapped = 0;
  for (const [path, Pieces] of METHODS) {
    const resource = path.reduce((at, name) => at?.[name], client);
    if (typeof resource?.create !== 'function') continue;
    wrapped++;
    if (!resource.create[MARK]) resource.create = wrapCreate(resource.create.bind(resource), Pieces, { provider: providerOf(client), ...fields });
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
      call = begin(body, knownFields(own), fields);
    } catch (error) {
      console.warn(`evalworker: a request is not published: ${error?.message}`);
      return create(body, options, ...rest);
    }
    const promise = current.run(call, () => create(body, options, ...rest));
    return watch(promise, call, Pieces);
  };
  wrapped[MARK] = true;
  return wrapped;
}

function begin(body, own, fields) {
  const call = new Call(own, fields);
  const event = call.event;
  event.model ??= body?.model;
  const asked = INPUTS.filter((name) => body?.[name] !== undefined);
  event.input = snapshot(asked.length === 1 && asked[0] === 'messages' ? body.messages : Object.fromEntries(asked.map((name) => [name, body[name]])));
  if (body?.tools) event.tools = snapshot(body.tools);
  if (body?.stream) event.streaming = true;
  return call;
}

/**
 * Looks at the answer when the application asks for it. The promise of the libraries reads
 * the body only then, so that `asResponse` still gives it unread.
 */
function watch(promise, call, Pieces) {
  const seen = (answer) => {
    try {
      if (typeof answer?.[Symbol.asyncIterator] === 'function') return watchStream(answer, call, new Pieces());
      recordAnswer(call, snapshot(answer));
      call.finish();
    } catch (error) {
      console.warn(`evalworker: a request is not published: ${error?.message}`);
    }
    return answer;
  };
  if (typeof promise?.parseResponse === 'function' && promise.responsePromise) {
    const parse = promise.parseResponse;
    promise.parseResponse = async (...args) => {
      let answer;
      try {
        answer = await parse(...args);
      } catch (error) {
        call.finish(error);
        throw error;
      }
      return seen(answer);
    };
    promise.responsePromise.catch((error) => call.finish(error));
    return promise;
  }
  return Promise.resolve(promise).then(seen, (error) => {
    call.finish(error);
    throw error;
  });
}

/** Looks at the pieces of a stream as the application takes them. One that is left early is published as far as it came. */
function watchStream(stream, call, pieces) {
  const iterate = typeof stream.iterator === 'function' ? stream.iterator : stream[Symbol.asyncIterator].bind(stream);
  const watched = async function* () {
    let whole = false;
    let problem;
    try {
      for await (const piece of { [Symbol.asyncIterator]: iterate }) {
        try {
          if (pieces.add(piece)) call.firstToken();
        } catch {
          // a piece in a form that is not known; the application has it anyway
        }
        yield piece;
      }
      whole = true;
    } catch (error) {
      problem = error;
      throw error;
    } finally {
      try {
        recordAnswer(call, snapshot(pieces.answer()));
      } catch {
        // pieces in an order that is not known; the event goes without the answer
      }
      if (whole) call.finish();
      else call.finish(problem ?? Object.assign(new Error('left early'), { name: 'CancelledError' }));
    }
  };
  if (typeof stream.iterator === 'function') stream.iterator = watched;
  else stream[Symbol.asyncIterator] = watched;
  return stream;
}

/** Returns who answers: by the library, or by the host where it talks to another. */
function providerOf(client) {
  const kind = (client?.constructor?.name ?? '').toLowerCase();
  let host = '';
  try {
    host = new URL(client.baseURL).hostname;
  } catch {
    // no address of its own
  }
  if (kind.includes('azure') || host.endsWith('.azure.com')) return 'azure';
  if (kind.includes('bedrock')) return 'bedrock';
  if (kind.includes('vertex')) return 'vertex';
  for (const name of ['openai', 'anthropic']) {
    if (kind.includes(name) && (host === '' || host === `api.${name}.com`)) return name;
  }
  return host || kind;
}

/** Counts the attempts of a request: the libraries say in a header which one it is. */
function countRetries(client) {
  if (typeof client.fetch !== 'function' || client.fetch[MARK]) return;
  const fetch = client.fetch;
  client.fetch = function (url, init) {
    const call = current.getStore();
    if (call) {
      const n = Number(new Headers(init?.headers).get('x-stainless-retry-count') ?? NaN);
      if (Number.isInteger(n)) call.event.retry_count = n;
    }
    return fetch.call(this, url, init);
  };
  client.fetch[MARK] = true;
}

module.exports = { wrap };
