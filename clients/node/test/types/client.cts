import evalworker = require('evalworker');
import { observe, type Fields } from 'evalworker';

const fields: Fields = { feature: 'f' };
const one: number = observe(() => 1, fields);
const sent: Promise<boolean> = evalworker.flush();

export = { one, sent };
