'use strict';

const { describeBytes, printSize, withoutMedia } = require('./media.cjs');

const MAX_DEPTH = 100;
const MAX_SIZE = 2 << 20; // characters and values of one copy; an event has to be smaller by far
const MAX_TEXT = 32 << 20; // characters of one text that is searched for pictures
const TYPE_NAMES = ['media_type', 'mediaType', 'mimeType', 'mime_type', 'contentType'];

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

  function copyObject(value, type, name) {
    if (ArrayBuffer.isView(value)) return describeBytes(Buffer.from(value.buffer, value.byteOffset, value.byteLength), type);
    if (value instanceof ArrayBuffer) return describeBytes(Buffer.from(value), type);
    if (value.type === 'Buffer' && Array.isArray(value.data)) return describeBytes(Buffer.from(value.data), type);
    if (typeof Blob === 'function' && value instanceof Blob) return `[${value.type || 'file'}, ${printSize(value.size)}]`; // its bytes come later
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
    if (value instanceof RegExp) return String(value);
    if (above.includes(value)) return '[circular]';
    if (above.length >= MAX_DEPTH) return '[nested too deeply]';
    above.push(value);
    try {
      if (value instanceof Map) return copyMembers(Object.fromEntries(value), type);
      if (value instanceof Set) return copyItems([...value], type, name);
      if (value instanceof Error) return { name: String(value.name), message: copy(String(value.message)) };
      if (Array.isArray(value)) return copyItems(value, type, name);
      const json = typeof value.toJSON === 'function' ? value.toJSON() : value;
      if (json !== value) return copy(json, type, name);
      const members = copyMembers(value, type);
      const kind = Object.getPrototypeOf(value)?.constructor?.name ?? 'Object';
      return kind !== 'Object' && Object.keys(members).length === 0 ? `[${kind}]` : members;
    } finally {
      above.pop();
    }
  }

  const copyItems = (items, type, name) => Array.from(items, (item) => attempt(() => copy(item, type, name)) ?? null);

  function copyMembers(value, outer) {
    const type = TYPE_NAMES.map((name) => attempt(() => value[name])).find((found) => typeof found === 'string') ?? outer;
    const members = {};
    for (const name of Object.keys(value)) {
      if (name === '__proto__') continue;
      spend(name.length);
      const member = attempt(() => copy(value[name], type, name));
      if (member !== undefined) members[name] = member;
    }
    return members;
  }

  function attempt(make) {
    try {
      return make();
    } catch (error) {
      if (error instanceof TooLargeError) throw error;
      return '[unreadable]'; // a getter or a proxy that throws
    }
  }

  return attempt(() => copy(value));
}

module.exports = { TooLargeError, plain };
