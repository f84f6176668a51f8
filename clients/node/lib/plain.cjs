'use strict';

const { Blob } = require('node:buffer');
const { describeBytes, printSize, withoutMedia } = require('./media.cjs');

const MAX_DEPTH = 100;
const MAX_SIZE = 2 << 20; // characters and values of one copy; an event has to be smaller by far
const MAX_TEXT = 32 << 20; // characters of one text that is searched for pictures
const TYPE_NAMES = new Set(['media_type', 'mediaType', 'mimeType', 'mime_type', 'contentType']);

/** Says that a value is larger than an event may be. */
class TooLargeError extends Error {}

/**
 * Returns a copy of a value as JSON can hold it, which later changes of the original do not reach. A Date becomes ISO 8601, a
 * BigInt a number or digits, NaN null, a circle "[circular]"; pictures, sounds and files become their type, size and digest.
 * It throws TooLargeError and nothing else: what cannot be read becomes "[unreadable]".
 */
function plain(value) {
  let left = MAX_SIZE;
  const above = []; // the objects that hold the one that is copied

  function spend(size) {
    left -= size;
    if (left < 0) throw new TooLargeError('larger than an event may be');
  }

  /** type is the media type that stands nearest to the value, name its key in the object that holds it. */
  function copy(value, type, name) {
    spend(1);
    switch (typeof value) {
      case 'string': {
        if (value.length > MAX_TEXT) spend(value.length);
        const text = withoutMedia(value, type, name);
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
        return value === null ? null : copyObject(value, type, name);
      default:
        return undefined; // functions and symbols
    }
  }

  /** Is copy for a member or an item: what throws costs itself only. */
  function safeCopy(holder, key, type, name) {
    try {
      return copy(holder[key], type, name);
    } catch (error) {
      if (error instanceof TooLargeError) throw error;
      return '[unreadable]'; // a getter or a proxy that throws
    }
  }

  function copyObject(value, type, name) {
    if (above.includes(value)) return '[circular]';
    if (above.length >= MAX_DEPTH) return '[nested too deeply]';
    above.push(value);
    try {
      if (Array.isArray(value)) return copyItems(value, type, name);
      if (typeof value.toJSON === 'function' || Object.getPrototypeOf(value) !== Object.prototype) return copyInstance(value, type, name);
      if (value.type === 'Buffer' && Array.isArray(value.data)) return describeBytes(Buffer.from(value.data), type); // as JSON
      return copyMembers(value, type);
    } finally {
      above.pop();
    }
  }

  function copyInstance(value, type, name) {
    if (ArrayBuffer.isView(value)) return describeBytes(Buffer.from(value.buffer, value.byteOffset, value.byteLength), type);
    if (value instanceof ArrayBuffer) return describeBytes(Buffer.from(value), type);
    if (value instanceof Blob) return `[${value.type || 'file'}, ${printSize(value.size)}]`; // its bytes come later
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
    if (value instanceof RegExp) return String(value);
    if (value instanceof Map) return copyMembers(Object.fromEntries(value), type);
    if (value instanceof Set) return copyItems([...value], type, name);
    if (value instanceof Error) return { name: String(value.name), message: copy(String(value.message)) };
    const json = typeof value.toJSON === 'function' ? value.toJSON() : value;
    if (json !== value) return copy(json, type, name);
    const members = copyMembers(value, type);
    const kind = Object.getPrototypeOf(value)?.constructor?.name ?? 'Object';
    return kind !== 'Object' && Object.keys(members).length === 0 ? `[${kind}]` : members;
  }

  function copyItems(items, type, name) {
    const list = [];
    for (let i = 0; i < items.length; i++) list.push(safeCopy(items, i, type, name) ?? null);
    return list;
  }

  function copyMembers(value, outer) {
    const names = Object.keys(value);
    const declared = names.find((name) => TYPE_NAMES.has(name));
    const own = declared && safeCopy(value, declared);
    const type = typeof own === 'string' ? own : outer;
    const members = {};
    for (const name of names) {
      if (name === '__proto__') continue;
      spend(name.length);
      const member = safeCopy(value, name, type, name);
      if (member !== undefined) members[name] = member;
    }
    return members;
  }

  return safeCopy({ value }, 'value');
}

module.exports = { TooLargeError, plain };
