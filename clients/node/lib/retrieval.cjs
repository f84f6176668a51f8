'use strict';

/**
 * Returns what a search found as an event's retrieval. It may be that already, or a list of texts, of LangChain's documents
 * (also with scores), LlamaIndex's nodes, or hits of Pinecone, Qdrant, Elasticsearch or OpenAI's vector stores, or such a list
 * in the answer of the search, or a result of Chroma.
 */
function retrievalOf(found) {
  if (found === null || typeof found !== 'object') return undefined;
  if (Array.isArray(found)) return { chunks: found.map(chunkOf) };
  if (Array.isArray(found.documents) && Array.isArray(found.ids)) return { chunks: chromaChunks(found) };
  const list = [found.matches, found.points, found.hits?.hits, found.results, found.data, found.nodes, found.sourceNodes, found.documents].find(Array.isArray);
  if (list && !found.chunks) return { chunks: list.map(chunkOf) };
  return Array.isArray(found.chunks) ? { ...found, chunks: found.chunks.map(chunkOf) } : found;
}

function chunkOf(hit) {
  if (typeof hit === 'string') return { text: hit };
  if (Array.isArray(hit)) return { ...chunkOf(hit[0]), score: hit[1] }; // LangChain: [document, score]
  const inner = hit?.node ?? hit?.document ?? hit;
  if (inner === null || typeof inner !== 'object') return { text: inner === undefined ? undefined : String(inner), id: hit?.id, score: hit?.score };
  const data = inner.metadata ?? inner.payload ?? inner._source ?? {};
  return {
    id: idOf(inner.id ?? inner.id_ ?? inner._id ?? inner.file_id ?? data.id ?? data.source ?? hit.id),
    text: textOf(inner.text ?? inner.pageContent ?? inner.page_content ?? inner.content ?? data.text ?? data.pageContent ?? data.page_content ?? data.content),
    score: [hit.score, hit._score, inner.score, hit.relevance_score, data.score, data.relevance_score].find((n) => typeof n === 'number'),
  };
}

const idOf = (id) => (typeof id === 'string' ? id : id === undefined || id === null ? undefined : String(id));

/** Returns the words of a chunk; OpenAI's vector stores give a list of parts. */
function textOf(text) {
  if (Array.isArray(text)) return text.map((part) => part?.text ?? part).filter((part) => typeof part === 'string').join('\n');
  return typeof text === 'string' ? text : undefined;
}

/** Returns the chunks of Chroma's answer to the first query. Its distances are no scores: the nearest is the least. */
function chromaChunks({ ids, documents }) {
  const first = (list) => (Array.isArray(list[0]) ? list[0] : list);
  const texts = first(documents);
  return first(ids).map((id, i) => ({ id, text: texts[i] ?? undefined }));
}

module.exports = { retrievalOf };
