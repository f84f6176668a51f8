import * as evalworker from './index.cjs';

export * from './index.cjs';
export default evalworker;
