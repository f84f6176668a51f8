"""Reads answers of OpenAI's and Anthropic's libraries, whole or in pieces."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from ._call import Call
from ._publisher import plain


_MOST_PARTS = 1000  # of one answer; a stream cannot ask for more memory by an index


def record_answer(call: Call, answer: Any) -> None:
    """Puts a whole answer into the event: as it came, and what the event has fields for."""
    body = answer if isinstance(answer, dict) else plain(answer)
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
            if isinstance(usage.get(name), int):
                return usage[name]
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


class ChatPieces:
    """Joins the chunks of a chat completion to the answer that it would have been."""

    def __init__(self) -> None:
        self.whole: Dict[str, Any] = {"object": "chat.completion", "choices": []}
        self._choices: Dict[int, Dict[str, Any]] = {}

    def add(self, chunk: Any) -> bool:
        """Takes a chunk; reports whether it holds something that a user sees."""
        body = plain(chunk)
        if not isinstance(body, dict):
            return False
        for name in ("id", "model", "created", "usage", "system_fingerprint", "service_tier"):
            if body.get(name) is not None:
                self.whole[name] = body[name]
        shown = False
        for piece in body.get("choices") or []:
            choice = self._choices.setdefault(
                piece.get("index", 0), {"index": piece.get("index", 0), "message": {"role": "assistant", "content": None}}
            )
            if piece.get("finish_reason") is not None:
                choice["finish_reason"] = piece["finish_reason"]
            message = choice["message"]
            for name, value in (piece.get("delta") or {}).items():
                if name == "tool_calls":
                    self._add_calls(message, value or [])
                    shown = shown or bool(value)
                elif isinstance(value, str) and name != "role":
                    message[name] = (message.get(name) or "") + value
                    shown = shown or bool(value)
                elif value is not None:
                    message[name] = value
        return shown

    @staticmethod
    def _add_calls(message: Dict[str, Any], pieces: List[Dict[str, Any]]) -> None:
        calls = message.setdefault("tool_calls", [])
        for piece in pieces:
            index = piece.get("index", len(calls) - 1 if calls else 0)
            if not 0 <= index < _MOST_PARTS:
                continue
            while len(calls) <= index:
                calls.append({"type": "function", "function": {"name": "", "arguments": ""}})
            call = calls[index]
            for name in ("id", "type"):
                if piece.get(name):
                    call[name] = piece[name]
            for name, value in (piece.get("function") or {}).items():
                if isinstance(value, str):
                    call["function"][name] = call["function"].get(name, "") + value

    def answer(self) -> Any:
        self.whole["choices"] = [self._choices[i] for i in sorted(self._choices)]
        return self.whole


class ResponsePieces:
    """Keeps the last whole response that a stream of the Responses API names."""

    def __init__(self) -> None:
        self.whole: Any = None
        self._text = ""

    def add(self, event: Any) -> bool:
        body = plain(event)
        if not isinstance(body, dict):
            return False
        if isinstance(body.get("response"), dict):
            self.whole = body["response"]
        if body.get("type") == "response.output_text.delta":
            self._text += body.get("delta") or ""
        return str(body.get("type", "")).endswith(".delta")

    def answer(self) -> Any:
        if isinstance(self.whole, dict) and not self.whole.get("output") and self._text:  # it was cut off
            return {**self.whole, "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": self._text}]}]}
        return self.whole


class MessagePieces:
    """Joins the events of Anthropic's stream to the message that it would have been."""

    def __init__(self) -> None:
        self.whole: Dict[str, Any] = {"type": "message", "role": "assistant", "content": []}
        self._arguments: Dict[int, str] = {}

    def add(self, event: Any) -> bool:
        body = plain(event)
        if not isinstance(body, dict):
            return False
        kind, blocks = body.get("type"), self.whole["content"]
        if not 0 <= body.get("index", 0) < _MOST_PARTS:
            return False
        if kind == "message_start":
            self.whole.update(body.get("message") or {})
            self.whole["content"] = []
        elif kind == "content_block_start":
            while len(blocks) <= body.get("index", 0):
                blocks.append({})
            blocks[body.get("index", 0)] = dict(body.get("content_block") or {})
        elif kind == "content_block_delta" and body.get("index", 0) < len(blocks):
            self._add_delta(body.get("index", 0), blocks[body.get("index", 0)], body.get("delta") or {})
            return True
        elif kind == "message_delta":
            self.whole.update({k: v for k, v in (body.get("delta") or {}).items() if v is not None})
            self.whole["usage"] = {**(self.whole.get("usage") or {}), **{k: v for k, v in (body.get("usage") or {}).items() if v is not None}}
        return False

    def _add_delta(self, index: int, block: Dict[str, Any], delta: Dict[str, Any]) -> None:
        if delta.get("type") == "input_json_delta":
            self._arguments[index] = self._arguments.get(index, "") + (delta.get("partial_json") or "")
            return
        for name in ("text", "thinking", "signature"):
            if isinstance(delta.get(name), str):
                block[name] = (block.get(name) or "") + delta[name]
        if delta.get("citation") is not None:
            block.setdefault("citations", [])
            block["citations"] = (block["citations"] or []) + [delta["citation"]]

    def answer(self) -> Any:
        import json

        for index, text in self._arguments.items():
            try:
                self.whole["content"][index]["input"] = json.loads(text) if text else {}
            except ValueError:  # cut off in the middle: the text is what the model wrote
                self.whole["content"][index]["input"] = text
        return self.whole
