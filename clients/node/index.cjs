'use strict';

const { Publisher } = require('./lib/publisher.cjs');
const { Call, configure, feedback, observe, publisher, scope } = require('./lib/call.cjs');
const { wrap } = require('./lib/wrap.cjs');
const { middleware } = require('./lib/vercel.cjs');

/** Resolves when the sidecar has everything; await it at the end of a serverless function and on SIGTERM. */
const flush = (timeout) => publisher().flush(timeout);

module.exports = { Call, Publisher, configure, feedback, flush, middleware, observe, publisher, scope, wrap };
