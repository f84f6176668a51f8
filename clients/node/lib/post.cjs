'use strict';

const http = require('node:http');
const https = require('node:https');

const MAX_ANSWER = 1 << 20; // bytes of an answer that are kept

/** A connection to the sidecar, kept open between requests. It does not keep the process alive. An address that is no URL is a TypeError. */
class Connection {
  #url;
  #agent;
  #request;

  constructor(url) {
    const base = new URL(url);
    if (!/^https?:$/.test(base.protocol)) throw new TypeError('no URL of HTTP');
    this.#url = new URL(base.pathname.replace(/\/+$/, '') + '/v1/events', base);
    this.#request = this.#url.protocol === 'https:' ? https.request : http.request;
    this.#agent = new (this.#url.protocol === 'https:' ? https : http).Agent({ keepAlive: true, maxSockets: 1 });
  }

  /** Sends a body; resolves to status, Retry-After and text of the answer. A redirect is an answer: content goes to no other host. */
  post(headers, body, signal) {
    return new Promise((resolve, reject) => {
      const options = { method: 'POST', agent: this.#agent, headers: { ...headers, 'content-length': body.length }, signal };
      const request = this.#request(this.#url, options, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (piece) => (text.length < MAX_ANSWER ? (text += piece) : undefined));
        response.on('end', () => resolve({ status: response.statusCode, retryAfter: response.headers['retry-after'], text }));
        response.on('error', reject);
      });
      request.on('socket', (socket) => socket.unref());
      request.on('error', reject);
      request.end(body);
    });
  }

  /** The address as it may be told: without user and password. */
  get origin() {
    return this.#url.origin;
  }

  close() {
    this.#agent.destroy();
  }
}

module.exports = { Connection };
