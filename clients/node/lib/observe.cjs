'use strict';

const { answerFields } = require('./answers.cjs');
const { Call, lenient } = require('./call.cjs');
const { OF_CALL } = require('./fields.cjs');
const { AnyPieces } = require('./pieces.cjs');
const { Watch, watchIterable, watchIterator, watchReadable } = require('./stream.cjs');

/**
 * Runs fn(call) and publishes it as a request: `await observe((call) => ask(question), { prompt_name: 'triage', input: question })`.
 * Returns what fn returns: a value, a promise, or an async iterator or ReadableStream, which is published when it ends.
 */
function observe(fn, fields = {}) {
  if (typeof fn !== 'function') throw new TypeError('evalworker: the first argument of observe is the function that makes the request');
  const call = new Call(lenient(fields, OF_CALL));
  let result;
  try {
    result = fn(call);
  } catch (error) {
    call.fail(error);
    throw error;
  }
  if (typeof result?.then !== 'function') return finishWith(call, result);
  return result.then(
    (value) => finishWith(call, value),
    (error) => {
      call.fail(error);
      throw error;
    },
  );
}

function finishWith(call, result) {
  try {
    return watchResult(call, result);
  } catch {
    call.finish(); // a result that cannot be watched, such as one whose members cannot be set
    return result;
  }
}

function watchResult(call, result) {
  const isObject = result !== null && typeof result === 'object';
  if (isObject) call.isOf(result);
  const isReadable = isObject && typeof result.getReader === 'function';
  if (isReadable && Object.getPrototypeOf(result) === ReadableStream.prototype && !result.locked) return watchReadable(result, new Watch(call, new OwnPieces(call)));
  if (isObject && typeof result[Symbol.asyncIterator] === 'function') {
    const watch = new Watch(call, new OwnPieces(call), result.controller?.signal);
    if (typeof result.next === 'function' && !isReadable) return watchIterator(() => result, watch); // a generator
    return watchIterable(result, watch);
  }
  call.set(unsetOnly(call, answerFields(result)));
  call.finish();
  return result;
}

/** Leaves what fn has set itself. */
class OwnPieces extends AnyPieces {
  #call;

  constructor(call) {
    super();
    this.#call = call;
  }

  fields() {
    return unsetOnly(this.#call, super.fields());
  }
}

const unsetOnly = (call, fields) => Object.fromEntries(Object.entries(fields).filter(([name]) => !call.has(name)));

module.exports = { observe };
