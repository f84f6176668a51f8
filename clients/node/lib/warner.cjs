'use strict';

const MINUTE = 60_000;

/** Tells of troubles at most once a minute, with how many there were, through a logger or else process.emitWarning. */
class Warner {
  #logger;
  #pause; // a timer, for a minute after a warning
  #held = 0; // troubles that were not told in it
  #last;

  constructor(logger) {
    this.#logger = logger;
  }

  warn(text) {
    if (this.#pause) {
      this.#held++;
      this.#last = text;
      return;
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
