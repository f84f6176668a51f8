"""Brings what was retrieved for a request into the form of an event."""

from __future__ import annotations

from typing import Any, Dict, Optional

from ._values import as_json

_TEXTS = ("text", "page_content", "content", "pageContent", "document", "chunk")
_IDS = ("id", "chunk_id", "doc_id", "document_id", "source", "file_id")
_SCORES = ("score", "relevance_score", "similarity", "_score")


def retrieval_of(found: Any) -> Optional[Dict[str, Any]]:
    """Returns the event's `retrieval` of documents in any of the common forms.

    These are a list of texts, of dicts with `text`, `page_content` or `content` (and `id`,
    `score`, `metadata`), of LangChain's or LlamaIndex's documents, or of pairs of one of
    these and its score; and a dict that has the list as `chunks`, `documents` or
    `results` beside `query`, `index` and other members of the event's form."""
    if found is None:
        return None
    if isinstance(found, dict) and not _member(found, _TEXTS[:4]):
        made = dict(found)
        listed = next((made.pop(name) for name in ("chunks", "documents", "results", "contexts") if isinstance(made.get(name), (list, tuple))), None)
        if listed is None:
            return made
    else:
        made, listed = {}, found if isinstance(found, (list, tuple)) else [found]
    chunks = [chunk_of(item) for item in listed]
    made["chunks"] = chunks
    made.setdefault("hit_count", len(chunks))
    scores = [chunk["score"] for chunk in chunks if "score" in chunk]
    if scores:
        made.setdefault("top_score", max(scores))
    return made


def chunk_of(item: Any) -> Dict[str, Any]:
    """Returns one passage: text, and id and score where they are known."""
    score: Any = None
    if isinstance(item, (list, tuple)) and len(item) == 2 and isinstance(item[1], (int, float)):
        item, score = item
    if isinstance(item, str):
        return _chunk(item, None, score)
    node = getattr(item, "node", None)  # LlamaIndex: a node and its score
    if node is not None:
        item, score = node, getattr(item, "score", score)
    metadata = _member(item, ("metadata",))
    text = _member(item, _TEXTS)
    if isinstance(text, list):  # OpenAI's vector stores: parts with text
        text = "\n".join(str(_member(part, ("text",)) or part) for part in text)
    if text is None:
        text = str(as_json(item))
    identity = _member(item, _IDS) or _member(metadata, _IDS)
    if score is None:
        score = _member(item, _SCORES)
    if score is None:
        score = _member(metadata, _SCORES)
    return _chunk(text, identity, score)


def _chunk(text: Any, identity: Any, score: Any) -> Dict[str, Any]:
    chunk: Dict[str, Any] = {} if identity is None else {"id": identity if isinstance(identity, int) else str(identity)}
    chunk["text"] = text if isinstance(text, str) else str(text)
    try:
        if score is not None and not isinstance(score, str):
            chunk["score"] = float(score)
    except Exception:  # no number; the passage is worth more
        pass
    return chunk


def _member(item: Any, names: Any) -> Any:
    """Returns the first of the members of a dict, or attributes of an object, that is set."""
    for name in names:
        value = item.get(name) if isinstance(item, dict) else getattr(item, name, None)
        if value is not None and not callable(value):
            return value
    return None
