"""Reads answers of OpenAI's and Anthropic's libraries, whole or in pieces."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional

from ._call import Call
from ._values import as_json


_MOST_PARTS = 1000  # of one answer; a stream cannot ask for more memory by an index


def record_answer(call: Call, answer: Any) -> None:
    """Puts a whole answer into the event: as it came, and what the event has fields for."""
    body = as_json(answer)
    call.event["output"] = body
    if not isinstance(body, dict):
        return
    if isinstance(body.get("model"), str):
        call.event["model"] = body["model"]
    record_usage(call, body.get("usage"))
    choices = body.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        _set(call, "finish_reason", choices[0].get("finish_reason"))
    _set(call, "finish_reason", body.get("stop_reason"))
    if body.get("object") == "response":
        details = body.get("incomplete_details") or {}
        _set(call, "finish_reason", details.get("reason") or body.get("status"))
        if body.get("status") == "failed":
            call.event["status"] = "error"
            _set(call, "error_type", (body.get("error") or {}).get("code"))


def record_usage(call: Call, usage: Any) -> None:
    """Reads tokens: prompt/completion of chat completions, input/output of the others.
    Anthropic counts cached input apart; here it is part of the input, as everywhere else."""
    if not isinstance(usage, dict):
        return

    def number(*names: str) -> Optional[int]:
        for name in names:
            value = usage.get(name)
            if isinstance(value, int):
                return value
        return None

    read = number("prompt_tokens", "input_tokens")
    if read is not None and "prompt_tokens" not in usage:
        read += (number("cache_read_input_tokens") or 0) + (number("cache_creation_input_tokens") or 0)
    wrote = number("completion_tokens", "output_tokens")
    _set(call, "input_tokens", read)
    _set(call, "output_tokens", wrote)
    total = number("total_tokens")
    _set(call, "total_tokens", total if total is not None else read + wrote if read is not None and wrote is not None else None)


def _set(call: Call, name: str, value: Any) -> None:
    if value is not None:
        call.event[name] = value


def join(so_far: Any, piece: Any) -> Any:
    """Adds a piece of a stream to what it continues: texts are joined, so are lists, whose items
    continue the one with the same index, and the members of objects."""
    if isinstance(so_far, str) and isinstance(piece, str):
        return so_far + piece
    if isinstance(so_far, dict) and isinstance(piece, dict):
        for name, value in piece.items():
            if value is not None:
                so_far[name] = value if name in _NEVER_JOINED else join(so_far.get(name), value)
        return so_far
    if isinstance(piece, list):
        joined = so_far if isinstance(so_far, list) else []
        for item in piece:
            _join_item(joined, item)
        return joined
    return piece


_NEVER_JOINED = frozenset("id type role index object format created model status".split())


def _join_item(items: List[Any], item: Any) -> None:
    if not isinstance(item, dict) or not ("index" in item or "function" in item):
        items.append(item)
        return
    index = item.get("index")
    if index is None:  # some providers leave it out: what has no new id continues the last one
        known = items[-1] if items and item.get("id") in (None, items[-1].get("id")) else None
    elif isinstance(index, int) and 0 <= index < _MOST_PARTS:
        known = next((one for one in items if one.get("index") == index), None)
    else:
        return
    if known is None:
        known = {}
        items.append(known)
    join(known, item)


class ChatPieces:
    """Joins the chunks of a chat completion, or of a completion, to the answer that it would have been."""

    def __init__(self) -> None:
        self._whole: Dict[str, Any] = {}
        self._choices: Dict[int, Dict[str, Any]] = {}

    def add(self, chunk: Any) -> bool:
        """Takes a chunk; reports whether it holds something that a user sees."""
        body = as_json(chunk)
        if not isinstance(body, dict):
            return False
        for name, value in body.items():
            if value is not None and name != "choices":
                self._whole[name] = value
        shown = False
        for piece in body.get("choices") or []:
            index = piece.get("index", 0)
            if not 0 <= index < _MOST_PARTS:
                continue
            choice = self._choices.setdefault(index, {"index": index})
            delta = piece.get("delta")
            if delta is not None:
                join(choice.setdefault("message", {"role": "assistant", "content": None}), delta)
                shown = shown or any(value for name, value in delta.items() if name != "role")
            shown = shown or bool(piece.get("text"))
            for name, value in piece.items():
                if value is not None and name not in ("index", "delta"):
                    choice[name] = value if name == "finish_reason" else join(choice.get(name), value)
        return shown

    def answer(self) -> Any:
        choices = [self._choices[index] for index in sorted(self._choices)]
        for choice in choices:
            calls = choice.get("message", {}).get("tool_calls")
            if isinstance(calls, list):
                calls.sort(key=lambda call: call.get("index", 0))
                for call in calls:
                    call.pop("index", None)
        kind = str(self._whole.get("object", "chat.completion")).replace(".chunk", "")
        return {**self._whole, "object": kind, "choices": choices}


class ResponsePieces:
    """Keeps the last whole response that a stream of the Responses API names."""

    def __init__(self) -> None:
        self.whole: Any = None
        self._items: List[Any] = []
        self._text = ""

    def add(self, event: Any) -> bool:
        body = as_json(event)
        if not isinstance(body, dict):
            return False
        if isinstance(body.get("response"), dict):
            self.whole = body["response"]
        if body.get("type") == "response.output_text.delta":
            self._text += body.get("delta") or ""
        elif body.get("type") == "response.output_item.done":
            self._items.append(body.get("item"))
            self._text = ""
        return str(body.get("type", "")).endswith(".delta")

    def answer(self) -> Any:
        if isinstance(self.whole, dict) and not self.whole.get("output"):  # it was cut off
            begun = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": self._text}]}
            return {**self.whole, "output": self._items + ([begun] if self._text else [])}
        return self.whole


class MessagePieces:
    """Joins the events of Anthropic's stream to the message that it would have been."""

    def __init__(self) -> None:
        self._whole: Dict[str, Any] = {"type": "message", "role": "assistant"}
        self._blocks: Dict[int, Dict[str, Any]] = {}
        self._arguments: Dict[int, str] = {}

    def add(self, event: Any) -> bool:
        """Takes an event; reports whether it holds something that a user sees."""
        body = as_json(event)
        if not isinstance(body, dict):
            return False
        kind, index = body.get("type"), body.get("index", 0)
        if kind == "message_start":
            self._whole.update(body.get("message") or {})
        elif kind == "message_delta":
            members = {name: value for name, value in body.items() if name not in ("type", "delta", "usage")}
            for name, value in {**members, **(body.get("delta") or {})}.items():
                if value is not None:
                    self._whole[name] = value
            usage = {name: value for name, value in (body.get("usage") or {}).items() if value is not None}
            self._whole["usage"] = {**(self._whole.get("usage") or {}), **usage}
        elif kind == "content_block_start" and 0 <= index < _MOST_PARTS:
            self._blocks[index] = dict(body.get("content_block") or {})
        elif kind == "content_block_delta" and index in self._blocks:
            self._add_delta(index, body.get("delta") or {})
            return True
        return False

    def _add_delta(self, index: int, delta: Dict[str, Any]) -> None:
        block = self._blocks[index]
        for name, value in delta.items():
            if name == "partial_json":
                self._arguments[index] = self._arguments.get(index, "") + (value or "")
            elif name == "citation":
                block["citations"] = (block.get("citations") or []) + [value]
            elif name != "type" and value is not None:
                block[name] = join(block.get(name), value)

    def answer(self) -> Any:
        for index, text in self._arguments.items():
            try:
                self._blocks[index]["input"] = json.loads(text) if text else {}
            except ValueError:  # cut off in the middle: the text is what the model wrote
                self._blocks[index]["input"] = text
        return {**self._whole, "content": [self._blocks[index] for index in sorted(self._blocks)]}
