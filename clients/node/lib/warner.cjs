'use strict';

const MINUTE = 60_000;
const MOST_NAMES = 100;

/** Tells of troubles at most once a minute, with how many there were, through a logger or else process.emitWarning. */
class Warner {
  #logger;
  #pause; // a timer, for a minute after a warning
  #held = 0; // troubles that were not told in it
  #last;
  #named = new Map(); // when something was told about a name

  constructor(logger) {
    this.#logger = logger;
  }

  /** Returns whether the text was told at once. */
  warn(text) {
    if (this.#pause) {
      this.#held++;
      this.#last = text;
      return false;
    }
    this.#tell(text);
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      if (this.#held > 0) {
        const more = this.#held > 1 ? ` (and ${this.#held - 1} more in the last minute)` : '';
        this.#held = 0;
        this.warn(this.#last + more);
      }
    }, MINUTE);
    this.#pause.unref?.();
    return true;
  }

  /** Warns of something about a name, such as that of a field, which has a minute of its own; too many names at once share one. */
  warnAbout(name, text) {
    const now = performance.now();
    if (now - this.#named.get(name) < MINUTE) return;
    this.#named.delete(name); // so that the oldest are first
    for (const [old, at] of this.#named) {
      if (now - at < MINUTE) break;
      this.#named.delete(old);
    }
    if (this.#named.size >= MOST_NAMES) return void this.warn(text);
    this.#named.set(name, now);
    this.#tell(text);
  }

  /** Tells of what is lost, whatever was told before. process.emitWarning would tell it later, when the process may have ended. */
  last(text) {
    try {
      if (this.#logger) this.#logger.warn(`evalworker: ${text}`);
      else process.emit('warning', Object.assign(new Error(text), { name: 'EvalworkerWarning' }));
    } catch {
      // a logger that fails must not reach the end of the process
    }
  }

  /** Tells a logger, if it takes such lines, what is no trouble. */
  info(text) {
    try {
      this.#logger?.info?.(`evalworker: ${text}`);
    } catch {
      // a logger that fails must not reach the request
    }
  }

  #tell(text) {
    try {
      if (this.#logger) this.#logger.warn(`evalworker: ${text}`);
      else process.emitWarning(text, 'EvalworkerWarning');
    } catch {
      // a logger that fails must not reach the request
    }
  }
}

module.exports = { Warner };
