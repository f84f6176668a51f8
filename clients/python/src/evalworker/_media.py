"""Replaces pictures, sounds and files in an event by their type, size and digest."""

from __future__ import annotations

import binascii
import hashlib
import re
from typing import Any, Dict, Optional

_DATA_HEAD = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w.+-]+=[^;,\s]*)*;base64,")
_DATA_HEAD_AND_DATA = re.compile(_DATA_HEAD.pattern + r"([A-Za-z0-9+/_-]+={0,2})")
_BASE64 = re.compile(r"[A-Za-z0-9+/_\r\n-]*={0,2}\s*")
_ONE_ALPHABET = str.maketrans("-_", "+/", "\r\n\t ")
_SHORTEST = 256  # from here on text that is all base64 is data and not a name or an id
_LOOK = 4096  # characters at the beginning that tell what a text is
_PIECE = 1 << 16

# Where providers put the type of what stands beside it: OpenAI, Anthropic, Gemini, Bedrock.
_TYPE_NAMES = ("media_type", "mime_type", "mimeType", "mediaType", "format", "output_format")
_DATA_NAMES = ("data", "bytes", "file_data", "b64_json", "image_bytes", "imageBytes")

_KINDS = {
    "png": "image/png", "jpeg": "image/jpeg", "jpg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
    "wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac", "opus": "audio/opus", "aac": "audio/aac", "pcm16": "audio/pcm",
    "pdf": "application/pdf", "mp4": "video/mp4", "webm": "video/webm",
}  # fmt: skip
_BEGINNINGS = (
    (b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"), (b"%PDF", "application/pdf"),
    (b"ID3", "audio/mpeg"), (b"OggS", "audio/ogg"), (b"fLaC", "audio/flac"), (b"PK\x03\x04", "application/zip"),
)  # fmt: skip


def replace(value: Any, kind: Optional[str] = None) -> Any:
    """Returns a value of `values.copy` in which data has become text such as
    `[image/png, 50 KB, sha256:9f86...]`: data URIs anywhere in a text, text that is base64
    as a whole, and bytes. `kind` is the type that stands beside the value."""
    if isinstance(value, str):
        return _replace_text(value, kind)
    if isinstance(value, dict):
        beside = _kind_beside(value)
        return {name: _replace_member(name, member, beside or kind) for name, member in value.items()}
    if isinstance(value, list):
        return [replace(item, kind) for item in value]
    if isinstance(value, bytes):
        return describe(value, kind)
    return value


def _replace_member(name: str, value: Any, kind: Optional[str]) -> Any:
    if kind and name in _DATA_NAMES and isinstance(value, str) and len(value) >= 64 and not kind.startswith("text/") and _is_base64(value):
        return _describe_text(value, kind)
    return replace(value, kind)


def _replace_text(text: str, kind: Optional[str]) -> str:
    if len(text) < 32:
        return text
    whole = _DATA_HEAD.match(text)
    if whole and _is_base64(text[whole.end() : whole.end() + _LOOK]):
        return _describe_text(text[whole.end() :], whole[1])
    if "base64," in text:
        text = _DATA_HEAD_AND_DATA.sub(lambda found: _describe_text(found[2], found[1]), text)
    if len(text) >= _SHORTEST and _is_base64(text) and _is_mixed(text[:_LOOK]):
        return _describe_text(text, kind)
    return text


def _is_base64(text: str) -> bool:
    """Looks at the beginning only: prose has a space there, and the search through megabytes
    would hold up the threads of the application."""
    return _BASE64.fullmatch(text[:_LOOK]) is not None


def _is_mixed(text: str) -> bool:
    """Data has letters in both cases and digits; a ruled line or a digest has not."""
    return bool(re.search("[a-z]", text) and re.search("[A-Z]", text) and re.search("[0-9]", text))


def _kind_beside(members: Dict[str, Any]) -> Optional[str]:
    for name in _TYPE_NAMES:
        said = members.get(name)
        if isinstance(said, str):
            if "/" in said:
                return said
            if said.lower() in _KINDS:
                return _KINDS[said.lower()]
    return None


def _describe_text(text: str, kind: Optional[str]) -> str:
    """Returns the text that stands for base64 data, in either alphabet. It is decoded in
    pieces, between which other threads can run."""
    text = text.translate(_ONE_ALPHABET).rstrip("=")
    text += "=" * (-len(text) % 4)
    digest, size, start = hashlib.sha256(), 0, b""
    for i in range(0, len(text), _PIECE):
        piece = text[i : i + _PIECE]
        try:
            data = binascii.a2b_base64(piece)
        except ValueError:  # cut off, or no base64 after all
            data = piece.encode("utf-8", "replace")
        start = start or data[:16]
        size += len(data)
        digest.update(data)
    return _describe(start, size, digest.hexdigest(), kind)


def describe(data: bytes, kind: Optional[str] = None) -> str:
    """Returns the text that stands for data."""
    return _describe(data[:16], len(data), hashlib.sha256(data).hexdigest(), kind)


def _describe(start: bytes, size: int, digest: str, kind: Optional[str]) -> str:
    if not kind:
        kind = next((name for beginning, name in _BEGINNINGS if start.startswith(beginning)), "application/octet-stream")
        if start[:4] == b"RIFF":
            kind = {b"WAVE": "audio/wav", b"WEBP": "image/webp"}.get(start[8:12], kind)
    return f"[{kind[:100]}, {_size(size)}, sha256:{digest}]"


def _size(n: int) -> str:
    if n < 1000:
        return f"{n} B"
    if n < 1_000_000:
        return f"{(n + 500) // 1000} KB"
    return f"{(n + 500_000) // 1_000_000} MB"
