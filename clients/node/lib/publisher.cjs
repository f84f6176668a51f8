'use strict';

const { AsyncResource } = require('node:async_hooks');
const { version } = require('../package.json');
const { withoutContent } = require('./fields.cjs');
const { TooLargeError, plain } = require('./plain.cjs');
const { Connection } = require('./post.cjs');
const { untraced } = require('./trace.cjs');
const { Warner } = require('./warner.cjs');

const DEFAULT_URL = 'http://127.0.0.1:8788';
const BATCH_EVENTS = 500;
const BATCH_BYTES = 1 << 20;
const PREPARE_TIMEOUT = 5000; // milliseconds for a promise of the prepare hook

const outside = new AsyncResource('evalworker'); // sending belongs to no request: neither its scope nor its span

/**
 * Sends events to `emitter serve`. `publish` puts an event into a queue of at most `maxEvents` and `maxBytes` and returns; it
 * never waits and never throws. When the queue is full, the event is dropped and counted. Nothing here keeps a process alive,
 * but `flush` and `close` while they wait, and an end of the process, for `exitTimeout`, while events wait.
 */
class Publisher {
  static #open; // those that have published, and tell at the end of the process what they have lost
  #queue = []; // buffers, each a line of JSON
  #bytes = 0; // of what waits: for the prepare hook, in the queue, in the batch that is sent
  #batch = 0; // events of the batch that is sent
  #preparing = new Set(); // promises of events whose prepare hook has not answered
  #queued = 0; // events that were ever in the queue
  #settled = 0; // those of them that are accepted, rejected or dropped
  #watchers = []; // of #settled
  #sending; // the promise of the batches that are under way
  #timer;
  #closed = false;
  #badURL = ''; // what is wrong with the address
  #silent = false; // is set by the address "off"
  #wake; // ends a pause between attempts
  #away = false; // the last attempt got no answer, which would have said when to come again
  #outage = ''; // why events wait: the last attempt failed
  #outageTold = false;
  #cutOff; // ends the attempt that is under way
  #connection;
  #exit; // the listener of beforeExit
  #troubles;
  #notes; // tells of warnings in the sidecar's answers
  #counts = { accepted: 0, rejected: 0, dropped: 0, filtered: 0, withheld: 0, retries: 0, warnings: 0, lastError: '', lastWarning: '' };

  constructor(options = {}) {
    const env = process.env;
    this.url = options.url ?? env.EVALWORKER_URL ?? DEFAULT_URL;
    this.token = (options.token ?? env.EVALWORKER_TOKEN ?? '').trim(); // a token from a file often ends with a new line
    this.maxEvents = options.maxEvents ?? 10_000;
    this.maxBytes = options.maxBytes ?? 64 << 20;
    this.maxEventBytes = options.maxEventBytes ?? 1_000_000;
    this.timeout = options.timeout ?? 10_000;
    this.linger = options.linger ?? 100;
    this.exitTimeout = options.exitTimeout ?? 2000;
    this.prepare = options.prepare;
    this.#troubles = new Warner(options.logger);
    this.#notes = new Warner(options.logger);
    if (this.url === 'off') {
      this.#silent = true;
      return;
    }
    try {
      this.#connection = new Connection(this.url);
    } catch {
      this.#badURL = `"${this.url.replace(/\/\/.*@/, '//')}" is no URL of a sidecar; write http://host:8788`;
      if (options.url !== undefined) throw new TypeError(`evalworker: ${this.#badURL}`); // one from the environment must not stop the application
    }
  }

  /** Queues an event. Returns false when it was dropped; `stats` says how many were. */
  publish(event) {
    try {
      const copy = plain(event);
      return copy && typeof copy === 'object' ? this.take(copy) : this.#drop(1, 'an event has to be an object');
    } catch (error) {
      if (error instanceof TooLargeError) return this.take(shallow(event), 'too_large');
      return this.#drop(1, `an event cannot be written as JSON: ${error?.name}`);
    }
  }

  /** Is publish for an event that is a plain copy already. With `withheld`, its content stays behind, for that reason. */
  take(event, withheld) {
    try {
      if (this.#silent) return false;
      if (this.#badURL) return this.#drop(1, this.#badURL);
      if (this.#closed) return this.#drop(1, 'published after close');
      if (this.waiting >= this.maxEvents) return this.#drop(1, 'the queue is full: the sidecar does not keep up or is away');
      if (withheld) event = this.#withhold(event, withheld);
      if (this.prepare) return this.#runPrepare(event);
      return this.#enqueue(event);
    } catch (error) {
      return this.#drop(1, `an event cannot be written as JSON: ${error?.name}`);
    }
  }

  #runPrepare(event) {
    const bare = withoutContent(event, 'not_redacted'); // made first: the hook may change the event and then fail
    const failed = (error) => {
      this.#counts.withheld++;
      this.#warn(`the prepare hook fails (${error?.name ?? typeof error}): ${this.#counts.withheld} events went without content`);
      return this.#enqueue(bare);
    };
    const ready = (prepared) => {
      if (prepared === null) return (this.#counts.filtered++, false);
      if (typeof prepared !== 'object') return failed(new TypeError('the hook has to return the event or null'));
      let copy;
      try {
        copy = plain({ event: bare.event, request_id: bare.request_id, ...prepared });
      } catch {
        copy = this.#withhold({ ...bare }, 'too_large');
      }
      return this.#enqueue(copy);
    };
    let prepared;
    try {
      prepared = this.prepare(event);
    } catch (error) {
      return failed(error);
    }
    if (typeof prepared?.then !== 'function') return ready(prepared);
    const size = encode(event).length;
    if (this.#bytes + size > this.maxBytes) return this.#drop(1, 'the queue is full: the prepare hook does not keep up');
    this.#bytes += size;
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new DOMException('late', 'TimeoutError')), PREPARE_TIMEOUT);
      timer.unref?.();
    });
    const waiting = Promise.race([prepared, late])
      .finally(() => {
        clearTimeout(timer);
        this.#preparing.delete(waiting);
        this.#bytes -= size;
      })
      .then(ready, failed)
      .catch((error) => this.#drop(1, `an event cannot be written as JSON: ${error?.name}`));
    this.#preparing.add(waiting);
    this.#armExit();
    return true;
  }

  #withhold(event, why) {
    this.#counts.withheld++;
    return withoutContent(event, why);
  }

  #enqueue(event) {
    let line = encode(event);
    if (line.length - 1 > this.maxEventBytes) line = encode(this.#withhold(event, 'too_large'));
    if (line.length - 1 > this.maxEventBytes) return this.#drop(1, 'an event is too large even without its content');
    if (this.#closed) return this.#drop(1, 'published after close');
    if (this.#bytes + line.length > this.maxBytes) return this.#drop(1, 'the queue is full: the sidecar does not keep up or is away');
    this.#queue.push(line);
    this.#queued++;
    this.#bytes += line.length;
    this.#armExit();
    if (this.#queue.length >= BATCH_EVENTS) this.#start();
    else if (!this.#timer && !this.#sending) {
      this.#timer = setTimeout(() => this.#start(), this.linger);
      this.#timer.unref?.();
    }
    return true;
  }

  /** Sends what waits when the process has nothing else to do, and tells at the end what it has lost. A listener of beforeExit stays until then only. */
  #armExit() {
    if (!Publisher.#open) {
      Publisher.#open = new Set();
      process.once('exit', () => Publisher.#open.forEach((each) => each.#tellLost(each.waiting, 'exit')));
    }
    Publisher.#open.add(this);
    if (this.#exit || this.exitTimeout <= 0) return;
    this.#exit = () => {
      this.#exit = undefined;
      this.flush(this.exitTimeout);
    };
    process.once('beforeExit', this.#exit);
  }

  /** Resolves to true when the sidecar has answered for all events published before, and to false after `timeout` milliseconds. */
  async flush(timeout = 5000) {
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, timeout, false)));
    let watcher;
    if (this.#away) this.#wake?.();
    try {
      const prepared = await Promise.race([Promise.all(this.#preparing), late]);
      if (prepared === false) return false;
      const goal = this.#queued;
      if (this.#settled >= goal) return true;
      this.#start();
      const reached = new Promise((resolve) => this.#watchers.push((watcher = { goal, resolve })));
      return await Promise.race([reached, late]);
    } finally {
      clearTimeout(timer);
      this.#watchers = this.#watchers.filter((each) => each !== watcher);
    }
  }

  /** Flushes, for `timeout` milliseconds at most, and stops; what is left is dropped and counted. */
  async close(timeout = 5000) {
    const again = this.#closed;
    const end = performance.now() + timeout;
    let sent = true;
    while (sent && this.waiting > 0) sent = await this.flush(Math.max(end - performance.now(), 0)); // what is published meanwhile counts as well
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#exit) process.removeListener('beforeExit', this.#exit);
    Publisher.#open?.delete(this);
    const lost = this.waiting;
    const why = this.#outage;
    if (this.#queue.length > 0) {
      const left = this.#queue.splice(0);
      this.#drop(left.length, 'closed before they were sent');
      this.#settle(left);
    }
    this.#wake?.();
    this.#cutOff?.();
    await this.#sending;
    this.#connection?.close();
    if (!again) this.#tellLost(lost, 'close', why);
    return sent;
  }

  #tellLost(n, when, why = this.#outage) {
    if (n > 0) this.#troubles.last(`${n} events lost at ${when}: ${why || `${this.#connection.origin} has not answered in time`}`);
  }

  /** Events that wait, those under way included. */
  get waiting() {
    return this.#queue.length + this.#batch + this.#preparing.size;
  }

  /** Returns the counts since the start. published = accepted + rejected + dropped + filtered + waiting. */
  stats() {
    return { ...this.#counts, waiting: this.waiting };
  }

  #drop(n, why) {
    this.#counts.dropped += n;
    return this.#warn(`${this.#counts.dropped} events dropped: ${why}`);
  }

  #warn(text) {
    this.#counts.lastError = text;
    this.#troubles.warn(text);
    return false;
  }

  /** Warns, at most once a minute, of a mistake in what the application passes. One about a name, such as that of a field, is counted and has a minute of its own. */
  mistake(text, about) {
    if (about === undefined) return void this.#warn(text);
    if (!this.#silent) {
      this.#counts.warnings++;
      this.#counts.lastWarning = text;
    }
    this.#troubles.warnAbout(about, text);
  }

  #settle(lines) {
    for (const line of lines) this.#bytes -= line.length;
    this.#settled += lines.length;
    this.#watchers = this.#watchers.filter(({ goal, resolve }) => this.#settled < goal || resolve(true));
  }

  #start() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending ??= outside.runInAsyncScope(() => untraced(() => this.#sendAll())).finally(() => (this.#sending = undefined));
  }

  async #sendAll() {
    while (this.#queue.length > 0) {
      let size = 0;
      let n = 0;
      while (n < this.#queue.length && n < BATCH_EVENTS && (n === 0 || size + this.#queue[n].length <= BATCH_BYTES)) {
        size += this.#queue[n++].length;
      }
      const batch = this.#queue.splice(0, n);
      this.#batch = n;
      try {
        await this.#send(batch);
      } catch (error) {
        this.#drop(n, `they cannot be sent: ${error?.name}`); // its text may hold the token
      }
      this.#batch = 0;
      this.#settle(batch);
    }
  }

  /** Sends a batch until the sidecar has it or has refused it. One that is too large as a whole is sent in halves. */
  async #send(batch) {
    const headers = { 'content-type': 'application/x-ndjson', 'user-agent': `evalworker-node/${version}`, ...(this.token && { authorization: `Bearer ${this.token}` }) };
    const body = Buffer.concat(batch);
    for (let attempt = 0; ; attempt++) {
      let pause;
      let problem;
      const limit = new AbortController();
      const late = setTimeout(() => limit.abort(), this.timeout);
      late.unref?.();
      this.#cutOff = () => limit.abort();
      try {
        const { status, retryAfter, text } = await this.#connection.post(headers, body, limit.signal);
        this.#away = false;
        if (status === 413 && batch.length > 1) {
          const half = batch.length >> 1;
          await this.#send(batch.slice(0, half));
          return await this.#send(batch.slice(half));
        }
        if (status !== 408 && status !== 429 && status < 500) return this.#readAnswer(batch.length, status, text);
        const seconds = Number(retryAfter ?? 1);
        pause = Math.min(Math.max(Number.isFinite(seconds) ? seconds : 1, 0.05), 30) * 1000;
        problem = `${this.#connection.origin} answers ${status}`;
      } catch (error) {
        if (error?.code === 'ERR_INVALID_CHAR') throw error; // a token that no header may hold
        this.#away = true;
        pause = Math.min(100 * 2 ** attempt, 5000);
        problem = `${this.#connection.origin} does not answer: ${error?.name === 'AbortError' ? 'timeout' : error?.code ?? error?.name}`;
      } finally {
        clearTimeout(late);
      }
      if (!this.#closed) {
        this.#counts.retries++;
        this.#outage = problem;
        this.#counts.lastError = `${problem}; ${this.waiting} events wait`;
        if (this.#troubles.warn(this.#counts.lastError)) this.#outageTold = true;
        await new Promise((resolve) => {
          const timer = setTimeout(resolve, pause);
          timer.unref?.();
          this.#wake = () => (clearTimeout(timer), resolve());
        });
        this.#wake = undefined;
      }
      if (this.#closed) return void this.#drop(batch.length, 'closed before they were sent');
    }
  }

  #readAnswer(sent, status, text) {
    if (this.#outageTold) this.#troubles.info(`${this.#connection.origin} answers again; ${this.waiting} events wait`); // else nobody has read of the outage
    this.#outage = '';
    this.#outageTold = false;
    let answer;
    try {
      answer = JSON.parse(text);
    } catch {
      // not the sidecar's own answer; the status says enough
    }
    const accepted = Number.isInteger(answer?.accepted) ? Math.min(answer.accepted, sent) : status === 202 ? sent : 0;
    this.#counts.accepted += accepted;
    if (accepted < sent) {
      this.#counts.rejected += sent - accepted;
      this.#warn(`${this.#connection.origin} answers ${status} and refuses ${sent - accepted} of ${sent} events: ${short(answer?.faults?.[0]?.problem ?? answer?.error ?? '')}`);
    }
    if (Array.isArray(answer?.warnings) && answer.warnings.length > 0) {
      this.#counts.warnings += answer.warnings.length + (Number.isInteger(answer.more_warnings) ? answer.more_warnings : 0);
      this.#counts.lastWarning = short(answer.warnings[0]);
      this.#notes.warn(`${this.#connection.origin} warns of ${this.#counts.warnings} fields or events: ${this.#counts.lastWarning}`);
    }
  }
}

/** Returns what an answer says as a short text, whatever its form is. */
function short(said) {
  const parts = [said?.field, said?.problem, said?.mend].filter((part) => typeof part === 'string');
  return (typeof said === 'string' ? said : parts.length > 0 ? parts.join(': ') : JSON.stringify(said) ?? '').slice(0, 300);
}

/** Returns the members of an event that are no objects, for one that is too large to be copied. */
function shallow(event) {
  return plain(Object.fromEntries(Object.entries(event).filter(([, value]) => typeof value !== 'object' && String(value).length < 1000)));
}

const encode = (event) => Buffer.from(JSON.stringify(event) + '\n');

module.exports = { Publisher };
