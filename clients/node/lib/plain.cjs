'use strict';

const { Blob } = require('node:buffer');
const { describe, holderOf, withoutBytes, withoutMedia } = require('./media.cjs');

const MAX_DEPTH = 100;
const MAX_SIZE = 2 << 20; // characters and values of one copy; an event has to be smaller by far
const MAX_TEXT = 32 << 20; // characters of one text that is searched for pictures

/** Says that a value is larger than an event may be. */
class TooLargeError extends Error {}

/**
 * Returns a copy of a value as JSON can hold it, which later changes of the original do not reach. A Date becomes ISO 8601, a
 * BigInt a number or digits, NaN null, a circle "[circular]"; pictures, sounds and files become data URLs of their type, size and digest, without data.
 * It throws TooLargeError and nothing else: what cannot be read becomes "[unreadable]".
 */
function plain(value) {
  let left = MAX_SIZE;
  const above = []; // the objects that hold the one that is copied

  function spend(size) {
    left -= size;
    if (left < 0) throw new TooLargeError('larger than an event may be');
  }

  /** name is the value's key, or that of the array around it; holder is what the object that holds it says of it. */
  function copy(value, name, holder) {
    spend(1);
    switch (typeof value) {
      case 'string': {
        if (value.length > MAX_TEXT) spend(value.length);
        const text = withoutMedia(value, name, holder);
        spend(text.length);
        return text;
      }
      case 'number':
        return Number.isFinite(value) ? value : null;
      case 'boolean':
        return value;
      case 'bigint':
        return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
      case 'object':
        return value === null ? null : copyObject(value, name, holder);
      default:
        return undefined; // functions and symbols
    }
  }

  /** Is copy for a member or an item: what throws costs itself only. */
  function safeCopy(object, key, name, holder) {
    try {
      return copy(object[key], name, holder);
    } catch (error) {
      if (error instanceof TooLargeError) throw error;
      return '[unreadable]'; // a getter or a proxy that throws
    }
  }

  function copyObject(value, name, holder) {
    if (above.includes(value)) return '[circular]';
    if (above.length >= MAX_DEPTH) return '[nested too deeply]';
    above.push(value);
    try {
      if (Array.isArray(value)) return copyItems(value, name);
      if (typeof value.toJSON === 'function' || Object.getPrototypeOf(value) !== Object.prototype) return copyInstance(value, name, holder);
      if (value.type === 'Buffer' && Array.isArray(value.data)) return withoutBytes(Buffer.from(value.data), holder); // as JSON
      return copyMembers(value, name);
    } finally {
      above.pop();
    }
  }

  function copyInstance(value, name, holder) {
    if (ArrayBuffer.isView(value)) return withoutBytes(Buffer.from(value.buffer, value.byteOffset, value.byteLength), holder);
    if (value instanceof ArrayBuffer) return withoutBytes(Buffer.from(value), holder);
    if (value instanceof Blob) return describe(value.type, value.size, ''); // its bytes come later
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
    if (value instanceof RegExp) return String(value);
    if (value instanceof Map) return copyMembers(Object.fromEntries(value), name);
    if (value instanceof Set) return copyItems([...value], name);
    if (value instanceof Error) return { name: String(value.name), message: copy(String(value.message), 'message') };
    const json = typeof value.toJSON === 'function' ? value.toJSON() : value;
    if (json !== value) return copy(json, name, holder);
    const members = copyMembers(value, name);
    const kind = Object.getPrototypeOf(value)?.constructor?.name ?? 'Object';
    return kind !== 'Object' && Object.keys(members).length === 0 ? `[${kind}]` : members;
  }

  function copyItems(items, name) {
    const holder = holderOf(name);
    const list = [];
    for (let i = 0; i < items.length; i++) list.push(safeCopy(items, i, name, holder) ?? null);
    return list;
  }

  function copyMembers(value, under) {
    const names = Object.keys(value);
    const holder = holderOf(under, names, (name) => {
      try {
        return value[name];
      } catch {
        return undefined; // a getter that throws
      }
    });
    const members = {};
    for (const name of names) {
      if (name === '__proto__') continue;
      spend(name.length);
      const member = safeCopy(value, name, name, holder);
      if (member !== undefined) members[name] = member;
    }
    return members;
  }

  return safeCopy({ value }, 'value', '');
}

module.exports = { TooLargeError, plain };
