import evalworker from './index.cjs';

export const { Publisher, close, configure, feedback, flush, middleware, observe, publisher, requestId, scope, stats, wrap } = evalworker;
export default evalworker;
