'use strict';

const { configure, feedback, publisher, requestId, scope } = require('./lib/call.cjs');
const { middleware } = require('./lib/vercel.cjs');
const { observe } = require('./lib/observe.cjs');
const { Publisher } = require('./lib/publisher.cjs');
const { wrap } = require('./lib/wrap.cjs');

const flush = (timeout) => publisher().flush(timeout);
const close = (timeout) => publisher().close(timeout);
const stats = () => publisher().stats();

module.exports = { Publisher, close, configure, feedback, flush, middleware, observe, publisher, requestId, scope, stats, wrap };
