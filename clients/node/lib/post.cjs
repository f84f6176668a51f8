'use strict';

const http = require('node:http');
const https = require('node:https');

const MAX_ANSWER = 1 << 20; // bytes of an answer that are kept

/** A connection to the sidecar, kept open between requests. It does not keep the process alive. */
class Connection {
  #url;
  #agent;
  #request;

  constructor(url) {
    this.#url = new URL(url.replace(/\/+$/, '') + '/v1/events');
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

  close() {
    this.#agent.destroy();
  }
}

module.exports = { Connection };
