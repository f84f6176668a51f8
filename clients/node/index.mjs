import evalworker from './index.cjs';

export const { Call, Publisher, configure, feedback, flush, middleware, observe, publisher, scope, wrap } = evalworker;
export default evalworker;
