'use strict';

const { cancelled } = require('./call.cjs');
const { TooLargeError } = require('./plain.cjs');

/**
 * Follows one stream: gets its pieces and its end. The request is published once, by what comes first: the end, an error,
 * return or cancel, an abort, or, of a stream that nobody reads any more, the garbage collection.
 */
class Watch {
  #call;
  #pieces;
  #signal;
  #begun = false; // a piece has come
  #last; // milliseconds to the last piece
  #over = false;
  // An error that made the library abort comes right behind, and says more.
  #aborted = () => setImmediate(() => this.end(cancelled()));

  constructor(call, pieces, signal) {
    this.#call = call;
    this.#pieces = pieces;
    this.#last = call.elapsed();
    call.set({ streaming: true });
    if (signal?.aborted) this.#aborted();
    else if (typeof signal?.addEventListener === 'function') {
      this.#signal = signal;
      signal.addEventListener('abort', this.#aborted, { once: true });
    }
  }

  piece(piece) {
    if (this.#over || !this.#pieces) return;
    this.#begun = true;
    this.#last = this.#call.elapsed();
    try {
      if (this.#pieces.add(piece)) this.#call.firstToken();
    } catch (error) {
      if (error instanceof TooLargeError) this.#dropPieces();
      // else a piece in a form that is not known; the application has it anyway
    }
  }

  #dropPieces() {
    this.#pieces = undefined;
    this.#call.withhold('too_large');
  }

  /** Is end for a stream that is garbage: the time until then is not the model's. */
  lost() {
    this.#call.set({ llm_latency_ms: this.#last });
    this.end(cancelled());
  }

  end(error) {
    if (this.#over) return;
    this.#over = true;
    this.#signal?.removeEventListener('abort', this.#aborted);
    error ??= this.#pieces?.error ?? (this.#signal?.aborted ? cancelled() : undefined); // the libraries end an aborted stream without an error
    try {
      if (this.#pieces && (this.#begun || error === undefined)) this.#call.set(this.#pieces.fields()); // else nothing is known of the answer
    } catch {
      // pieces in an order that is not known; the event goes without the answer
    }
    this.#pieces = undefined;
    this.#call.finish(error);
  }
}

const lost = new FinalizationRegistry((watch) => watch.lost()); // a watch never holds what it is registered for

/** Returns an iterator that passes on what iterate's has. */
function watchIterator(iterate, watch) {
  async function* pass() {
    try {
      for await (const piece of { [Symbol.asyncIterator]: iterate }) {
        watch.piece(piece);
        yield piece;
      }
      watch.end();
    } catch (error) {
      watch.end(error ?? new Error('unknown'));
      throw error;
    } finally {
      watch.end(cancelled()); // the application stopped in the middle; after an end it does nothing
    }
  }
  const iterator = pass();
  lost.register(iterator, watch);
  return iterator;
}

/** Watches an object with an async iterator, in place: it stays what it is. Stainless' streams have theirs in `iterator`. */
function watchIterable(stream, watch) {
  const own = typeof stream.iterator === 'function';
  const iterate = own ? stream.iterator : stream[Symbol.asyncIterator].bind(stream);
  const watched = () => {
    lost.unregister(watch);
    return watchIterator(iterate, watch);
  };
  stream[own ? 'iterator' : Symbol.asyncIterator] = watched;
  lost.register(stream, watch, watch);
  return stream;
}

/** Returns a ReadableStream with what another has. */
function watchReadable(stream, watch) {
  const reader = stream.getReader();
  const watched = new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) {
            watch.end();
            controller.close();
          } else {
            watch.piece(value);
            controller.enqueue(value);
          }
        } catch (error) {
          watch.end(error ?? new Error('unknown'));
          controller.error(error);
        }
      },
      cancel(reason) {
        watch.end(cancelled());
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
  lost.register(watched, watch);
  return watched;
}

/** Calls fn when an object is garbage, unless the function that is returned is called before. */
function onceLost(object, fn) {
  const watch = { lost: fn };
  lost.register(object, watch, watch);
  return () => lost.unregister(watch);
}

module.exports = { Watch, onceLost, watchIterable, watchIterator, watchReadable };
