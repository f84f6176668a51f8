'use strict';

const DEFAULT_URL = 'http://127.0.0.1:8788';
const BATCH_EVENTS = 100;
const BATCH_BYTES = 1 << 20;

/**
 * Sends events to `emitter serve`. `publish` puts an event into a queue of at most
 * `maxEvents` and `maxBytes` and returns; it never waits and never throws. When the queue
 * is full, the event is dropped and counted. Nothing here keeps a process alive, except
 * what `flush` waits for.
 */
class Publisher {
  #queue = []; // lines of JSON
  #bytes = 0;
  #sending; // the promise of the batches that are under way
  #timer;
  #warned = 0;
  #closed = false;
  #wake; // ends a pause between attempts
  #cutOff; // ends the attempt that is under way

  constructor({ url, token, maxEvents = 10_000, maxBytes = 64 << 20, timeout = 10_000, linger = 100 } = {}) {
    const env = process.env;
    this.url = url ?? env.EVALWORKER_URL ?? env.EMITTER_URL ?? DEFAULT_URL;
    this.token = token ?? env.EVALWORKER_TOKEN ?? env.EMITTER_TOKEN ?? '';
    if (!/^https?:\/\/[^/]+/.test(this.url)) {
      throw new TypeError(`evalworker: "${this.url}" is no URL of a sidecar; write http://host:8788`);
    }
    this.maxEvents = maxEvents;
    this.maxBytes = maxBytes;
    this.timeout = timeout;
    this.linger = linger;
    this.stats = { accepted: 0, refused: 0, dropped: 0, retries: 0, lastError: '' };
  }

  /** Queues an event. Returns false when it was dropped; `stats` says how many were. */
  publish(event) {
    try {
      const line = encode(event);
      if (this.#closed) return this.#drop(1, 'published after close');
      if (this.#queue.length >= this.maxEvents || this.#bytes + line.length > this.maxBytes) {
        return this.#drop(1, 'the queue is full: the sidecar does not keep up or is away');
      }
      this.#queue.push(line);
      this.#bytes += line.length;
      if (this.#queue.length >= BATCH_EVENTS) this.#start();
      else if (!this.#timer && !this.#sending) {
        this.#timer = setTimeout(() => this.#start(), this.linger);
        this.#timer.unref?.();
      }
      return true;
    } catch (error) {
      return this.#drop(1, `an event cannot be written as JSON: ${error?.name}`);
    }
  }

  /** Resolves to true when the sidecar has everything, and to false after `timeout` milliseconds. */
  async flush(timeout = 5000) {
    const end = Date.now() + timeout;
    while (this.#queue.length > 0 || this.#sending) {
      this.#start();
      const left = end - Date.now();
      if (left <= 0) return false;
      let timer;
      const late = new Promise((resolve) => (timer = setTimeout(resolve, left)));
      await Promise.race([this.#sending, late]);
      clearTimeout(timer);
    }
    return true;
  }

  /** Flushes and stops. What is left after `timeout` milliseconds is dropped and counted. */
  async close(timeout = 5000) {
    const sent = await this.flush(timeout);
    this.#closed = true;
    if (this.#queue.length > 0) {
      this.#drop(this.#queue.length, 'closed before they were sent');
      this.#queue = [];
      this.#bytes = 0;
    }
    this.#wake?.();
    this.#cutOff?.();
    await this.#sending;
    return sent;
  }

  get waiting() {
    return this.#queue.length;
  }

  #drop(n, why) {
    this.stats.dropped += n;
    this.#say(`${this.stats.dropped} events dropped: ${why}`);
    return false;
  }

  /** Warns of a trouble, at most once a minute. */
  #say(text) {
    this.stats.lastError = text;
    const now = Date.now();
    if (now - this.#warned < 60_000) return;
    this.#warned = now;
    console.warn(`evalworker: ${text}`);
  }

  #start() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending ??= this.#sendAll().finally(() => (this.#sending = undefined));
  }

  async #sendAll() {
    while (this.#queue.length > 0) {
      let size = 0;
      let n = 0;
      while (n < this.#queue.length && n < BATCH_EVENTS && (n === 0 || size + this.#queue[n].length <= BATCH_BYTES)) {
        size += this.#queue[n++].length;
      }
      const batch = this.#queue.splice(0, n);
      this.#bytes -= size;
      try {
        await this.#send(batch);
      } catch (error) {
        this.#drop(batch.length, String(error?.message ?? error));
      }
    }
  }

  /** Sends a batch until the sidecar has it or has refused it. One that is too large as a whole is sent in halves. */
  async #send(batch) {
    for (let attempt = 0; ; attempt++) {
      let wait;
      let problem;
      const attemptEnds = new AbortController();
      const late = setTimeout(() => attemptEnds.abort(new DOMException('late', 'TimeoutError')), this.timeout);
      late.unref?.();
      this.#cutOff = () => attemptEnds.abort();
      let status;
      let text;
      try {
        const response = await fetch(this.url.replace(/\/+$/, '') + '/v1/events', {
          method: 'POST',
          headers: { 'content-type': 'application/x-ndjson', ...(this.token && { authorization: `Bearer ${this.token}` }) },
          body: batch.join(''),
          redirect: 'manual', // content goes to no other host
          signal: attemptEnds.signal,
        });
        text = await response.text();
        status = response.status;
        const after = Number(response.headers.get('retry-after') ?? 1);
        wait = Math.min(Math.max(Number.isFinite(after) ? after : 1, 0.05), 30) * 1000;
        problem = `${this.url} answers ${status}`;
      } catch (error) {
        wait = Math.min(100 * 2 ** attempt, 5000);
        problem = `${this.url} does not answer: ${error?.cause?.code ?? error?.name}`;
      } finally {
        clearTimeout(late);
      }
      if (status === 413 && batch.length > 1) {
        const half = batch.length >> 1;
        await this.#send(batch.slice(0, half));
        return this.#send(batch.slice(half));
      }
      if (status && status !== 408 && status !== 429 && status < 500) return this.#settle(batch, status, text);
      this.stats.retries++;
      this.#say(`${problem}; ${batch.length + this.#queue.length} events wait`);
      if (!this.#closed) {
        await new Promise((resolve) => {
          const timer = setTimeout(resolve, wait);
          timer.unref?.();
          this.#wake = () => (clearTimeout(timer), resolve());
        });
      }
      if (this.#closed) return void this.#drop(batch.length, 'closed before they were sent');
    }
  }

  #settle(batch, status, text) {
    let answer;
    try {
      answer = JSON.parse(text);
    } catch {
      // not the sidecar's own answer; the status says enough
    }
    const accepted = answer?.accepted ?? (status === 202 ? batch.length : 0);
    this.stats.accepted += accepted;
    const refused = batch.length - accepted;
    if (refused > 0) {
      this.stats.refused += refused;
      this.#say(`${this.url} answers ${status} and refuses ${refused} of ${batch.length} events: ${answer?.faults?.[0]?.problem ?? answer?.error ?? ''}`);
    }
  }
}

/** Returns an event as a line of JSON. What JSON has no form for becomes text. */
function encode(event) {
  const above = [];
  return (
    JSON.stringify(event, function (key, value) {
      if (typeof value === 'bigint') return String(value);
      if (typeof value === 'function' || typeof value === 'symbol') return undefined;
      if (value === null || typeof value !== 'object') return value;
      if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
      if (value.type === 'Buffer' && Array.isArray(value.data)) return `[${value.data.length} bytes]`;
      if (value instanceof Error) return { name: value.name, message: value.message };
      if (value instanceof Map) return Object.fromEntries(value);
      if (value instanceof Set) return [...value];
      while (above.length > 0 && above[above.length - 1] !== this) above.pop();
      if (above.includes(value)) return '[circular]';
      above.push(value);
      return value;
    }) + '\n'
  );
}

module.exports = { Publisher, encode };
