'use strict';

const { createHash } = require('node:crypto');

const DATA_URL = /data:([\w.+-]+\/[\w.+-]+)?(?:;[\w.+=-]+)*;base64,([\w+/=-]+)/gi;
const BASE64 = /^[\w+/-]+={0,2}$/;
const LONG_RUN = /(?<![\w+/-])[\w+/-]{1024,}={0,2}/g; // longer than any word, path or digest
const DATA_NAMES = new Set('data bytes b64_json base64 file_data fileData image_data imageData image audio video result partial_image_b64'.split(' '));
const SHORTEST_DATA = 128; // characters from which text under such a name is data, and no name or id

/** Returns a text with the base64 in it replaced by its type, size and digest; type and name are what stands beside the text. */
function withoutMedia(text, type, name) {
  if (text.includes(';base64,')) text = text.replace(DATA_URL, (_, own, data) => describeBytes(Buffer.from(data, 'base64'), own, true));
  if (text.length >= SHORTEST_DATA && DATA_NAMES.has(name) && BASE64.test(text)) return describeBytes(Buffer.from(text, 'base64'), type);
  if (text.length < 1024) return text;
  return text.replace(LONG_RUN, (run) => (/[A-Z]/.test(run) && /[a-z]/.test(run) && /\d/.test(run) ? describeBytes(Buffer.from(run, 'base64')) : run));
}

/** Returns the words that stand for bytes, such as "[image/png, 50 KB, sha256:...]". */
function describeBytes(bytes, type, sure = false) {
  const kind = sure && type ? type : typeOf(bytes) ?? type ?? 'data';
  return `[${kind}, ${printSize(bytes.length)}, sha256:${createHash('sha256').update(bytes).digest('hex')}]`;
}

function printSize(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${Math.round(bytes / 1000)} KB` : `${Math.round(bytes / 1_000_000)} MB`;
}

const BEGINNINGS = [
  ['\x89PNG', 'image/png'],
  ['\xff\xd8\xff', 'image/jpeg'],
  ['GIF8', 'image/gif'],
  ['%PDF', 'application/pdf'],
  ['ID3', 'audio/mpeg'],
  ['\xff\xfb', 'audio/mpeg'],
  ['OggS', 'audio/ogg'],
  ['fLaC', 'audio/flac'],
];

/** Returns the media type that bytes show by how they begin. */
function typeOf(bytes) {
  const head = bytes.toString('latin1', 0, 12);
  if (head.startsWith('RIFF')) return head.endsWith('WEBP') ? 'image/webp' : head.endsWith('WAVE') ? 'audio/wav' : undefined;
  return BEGINNINGS.find(([beginning]) => head.startsWith(beginning))?.[1];
}

module.exports = { describeBytes, printSize, withoutMedia };
