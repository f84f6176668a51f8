'use strict';

// What stands for pictures, sounds, videos and files: a data URL without its data, as every other publisher of evalworker writes
// it, so that readers still see a picture, with the size that it had. The table clients/testdata/media.json holds the rules; the
// tests of all languages read it.

const { createHash } = require('node:crypto');

const SHORTEST = 256; // characters of base64, as JSON has it, from which it is replaced
const LONGEST_TYPE = 256; // characters before the mark of a data URL
const MAX_TEXTS = 3; // how often JSON may stand in a string of JSON
const MARK = ';base64,';

const IN_BASE64 = new Uint8Array(128);
for (const c of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_\r\n\\') IN_BASE64[c.charCodeAt(0)] = 1; // the last begins an escape of JSON

const words = (text) => new Set(text.split(' '));

// Names of members, in lower case and without _ and -.
const ALWAYS = words('images b64json imagebytes bytesbase64encoded'); // tell by themselves that it is a picture
const DATA = words('data bytes base64 filedata image imageurl inputaudio audio video videourl file url uri fileuri');
const HOLDERS = words('source inlinedata inputaudio audio video videourl file filedata image imageurl document images b64json imagebytes bytesbase64encoded');
const MEDIA_TYPES = words('mediatype mimetype');
const KINDS = words('type $type blocktype partkind');
// Types of parts.
const PICTURES = words('image image_url input_image output_image image_file image_generation_call');
const PARTS = words('audio input_audio output_audio audio_url video video_url input_video file input_file document media blob container_upload document_url');

const fold = (name) => name.replace(/[_-]/g, '').toLowerCase();

/**
 * Returns what an object or array says about what it holds: whether that is media, a picture, and of which media type. `under` is
 * the name that the object stands under, `read` returns the value of a member.
 */
function holderOf(under, names = [], read) {
  let type = '';
  let kind = '';
  for (const name of names) {
    const folded = fold(name);
    if (!MEDIA_TYPES.has(folded) && !KINDS.has(folded)) continue;
    const value = read(name);
    if (typeof value !== 'string' || value.length >= SHORTEST - 2) continue;
    if (KINDS.has(folded)) kind = value.toLowerCase().replaceAll('-', '_');
    else type = value;
  }
  const picture = PICTURES.has(kind);
  return { type, picture, media: picture || PARTS.has(kind) || type !== '' || HOLDERS.has(fold(under)) };
}

/** Returns a text with the media in it replaced; `name` and `holder` say where it stands. */
function withoutMedia(text, name, holder, texts = MAX_TEXTS) {
  if (!mayHoldMedia(text)) return text;
  let changed = inJSON(text, texts);
  if (changed === text) changed = withoutURLs(text);
  if (changed !== text || !holder || written(text) < SHORTEST || /[^\r\n]/.test(text.slice(endOf(text, 0)))) return changed;
  const key = fold(name);
  if (ALWAYS.has(key)) return describeBase64(text, '');
  if (key === 'result' ? holder.picture : holder.media && DATA.has(key)) return describeBase64(text, holder.type);
  return text;
}

/** Returns what stands for bytes; short ones are base64. */
function withoutBytes(bytes, holder) {
  if (bytes.length < (SHORTEST / 4) * 3) return bytes.toString('base64');
  return describe(holder?.type ?? '', bytes.length, digestOf(bytes));
}

/** Returns how long base64 is in JSON, which writes a line break in two characters. */
const written = (text) => text.length + (text.match(/[\r\n]/g)?.length ?? 0);

/** Looks for a run of base64 at a few of the characters: such a run has one in each window of its length. */
function mayHoldMedia(text) {
  const window = SHORTEST / 2; // line breaks count twice
  for (let end = window; end <= text.length; ) {
    let i = end - 1;
    while (i >= end - window && IN_BASE64[text.charCodeAt(i)]) i--;
    if (i < end - window) return true;
    end = i + 1 + window;
  }
  return false;
}

/** Replaces media in the JSON that a text holds, such as a chat. All else of it stays as it is. */
function inJSON(text, texts) {
  if (texts === 0 || !/^[ \r\n\t]*[{[]/.test(text)) return text;
  const changes = new Map();
  try {
    walk(JSON.parse(text), '', undefined, texts - 1, changes);
  } catch {
    return text; // no JSON, or nested without end
  }
  if (changes.size === 0) return text;
  return text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"/g, (token) => {
    const changed = token.length >= SHORTEST / 2 ? changes.get(JSON.parse(token)) : undefined;
    return changed === undefined ? token : JSON.stringify(changed);
  });
}

/** Adds the texts of a value in which media are replaced, with what they become, to `changes`. */
function walk(value, name, holder, texts, changes) {
  if (typeof value === 'string') {
    const text = withoutMedia(value, name, holder, texts);
    if (text !== value) changes.set(value, text);
  } else if (Array.isArray(value)) {
    const inner = holderOf(name);
    for (const item of value) walk(item, name, inner, texts, changes);
  } else if (value !== null && typeof value === 'object') {
    const names = Object.keys(value);
    const inner = holderOf(name, names, (member) => value[member]);
    for (const member of names) walk(value[member], member, inner, texts, changes);
  }
}

/**
 * Returns the end of the base64 that begins at a place. A line break is part of it after a line as long as the first one; behind a
 * shorter line, and behind the padding, other text begins.
 */
function endOf(text, at) {
  const after = (characters, from) => {
    characters.lastIndex = from;
    characters.test(text);
    return characters.lastIndex;
  };
  const breaks = /[\r\n]*/y;
  const line = /[A-Za-z0-9+/_-]*/y;
  at = after(breaks, at);
  let end = after(line, at);
  const first = end - at;
  while (first >= 60 && first <= 100 && (text[end] === '\r' || text[end] === '\n')) { // MIME and PEM break lines so, with room for others
    at = after(breaks, end);
    end = after(line, at);
    if (end - at !== first) break;
  }
  return after(/=*/y, end);
}

/** Replaces the data URLs in a text. */
function withoutURLs(text) {
  let out = '';
  let kept = 0; // of the text in out
  for (let at = 0, mark; (mark = text.indexOf(MARK, at)) >= 0; ) {
    const from = Math.max(at, mark - LONGEST_TYPE);
    const scheme = text.slice(from, mark).lastIndexOf('data:');
    const data = mark + MARK.length;
    at = endOf(text, data);
    const base64 = text.slice(data, at);
    if (scheme < 0 || written(base64) < SHORTEST) continue;
    out += text.slice(kept, from + scheme) + describeBase64(base64, text.slice(from + scheme + 'data:'.length, mark));
    kept = at;
  }
  return out + text.slice(kept);
}

/** Returns what stands for base64, without a digest when it is broken. */
function describeBase64(text, type) {
  text = text.replace(/[\r\n]/g, '').replace(/=+$/, '');
  if (text.length % 4 === 1 || (/[-_]/.test(text) && /[+/]/.test(text))) return describe(type, Math.floor(text.length / 4) * 3, '');
  const bytes = Buffer.from(text, 'base64');
  return describe(type, bytes.length, digestOf(bytes));
}

const digestOf = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Returns what stands for media of a type and a size; without its digest, when that is not known. */
function describe(type, size, digest) {
  [type] = type.split(';', 1); // parameters may name the file
  if (type.length > LONGEST_TYPE / 2 || !/^[a-z0-9/+.-]*$/i.test(type)) type = '';
  return `data:${type};size=${size}${digest && `;sha256=${digest}`}${MARK}`;
}

module.exports = { describe, holderOf, withoutBytes, withoutMedia };
