"""Replaces pictures, sounds, videos and files in an event by their type, size and digest.

What stands for them is a data URL without its data, as every other publisher of evalworker
writes it, so that readers still see a picture, with the size that it had. The table
clients/testdata/media.json holds the rules; the tests of all languages read it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from typing import Any, Dict, Optional, Tuple

_SHORTEST = 256  # characters of base64, as JSON has it, from which it is replaced
_LONGEST_TYPE = 256  # characters before the mark of a data URL
_MOST_TEXTS = 3  # how often JSON may stand in a string of JSON
_PIECE = 1 << 16
_MARK = ";base64,"

_IN_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_\r\n\\")  # the last begins an escape of JSON
_LINE = re.compile("[A-Za-z0-9+/_-]*")
_BREAKS = re.compile("[\r\n]*")
_PADDING = re.compile("=*")
_LINE_LENGTHS = range(60, 101)  # into which MIME and PEM break base64, with room for others
_ONE_ALPHABET = str.maketrans("-_", "+/")
_TYPE = re.compile("[a-z0-9/+.-]*")
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)

# Names of members, in lower case and without _ and -.
_ALWAYS = frozenset("images b64json imagebytes bytesbase64encoded".split())  # tell by themselves that it is a picture
_DATA = frozenset("data bytes base64 filedata image imageurl inputaudio audio video videourl file url uri fileuri".split())
_HOLDERS = frozenset("source inlinedata inputaudio audio video videourl file filedata image imageurl document".split()) | _ALWAYS
_MEDIA_TYPES = frozenset("mediatype mimetype".split())
_KINDS = frozenset("type $type blocktype partkind".split())
# Types of parts.
_PICTURES = frozenset("image image_url input_image output_image image_file image_generation_call".split())
_PARTS = _PICTURES | frozenset(
    "audio input_audio output_audio audio_url video video_url input_video file input_file document media blob container_upload document_url".split()
)


class _Holder:
    """An object or array, and what its members say it is."""

    __slots__ = ("media", "media_type", "picture")

    def __init__(self, under: str, members: Optional[Dict[str, Any]] = None) -> None:
        self.media_type, kind = "", ""
        for name, value in (members or {}).items():
            if isinstance(value, str) and len(value) < _SHORTEST - 2:
                folded = _fold(name)
                if folded in _MEDIA_TYPES:
                    self.media_type = value
                elif folded in _KINDS:
                    kind = value.lower().replace("-", "_")
        self.picture = kind in _PICTURES
        self.media = kind in _PARTS or self.media_type != "" or under in _HOLDERS


def replace(value: Any) -> Any:
    """Returns a value of `values.copy` in which media have become text such as
    `data:image/png;size=51234;sha256=9f86...;base64,`: data URLs wherever they stand in a
    text, other base64 where providers write media, also in JSON that a text holds, and
    bytes. Short base64 stays, and short bytes become base64."""
    return _walk(value, "", None, _MOST_TEXTS, None)


def _walk(value: Any, key: str, holder: Optional[_Holder], texts: int, changes: Optional[Dict[str, str]]) -> Any:
    """Is replace for a value under a name. `changes` gets texts that have changed, and what they became."""
    if isinstance(value, str):
        if not _may_hold_media(value):
            return value
        text = _text(value, key, holder, texts)
        if changes is not None and text is not value:
            changes[value] = text
        return text
    if isinstance(value, dict):
        inner = _Holder(key, value)
        return {name: _walk(member, _fold(name), inner, texts, changes) for name, member in value.items()}
    if isinstance(value, list):
        inner = _Holder(key)
        return [_walk(item, key, inner, texts, changes) for item in value]
    if isinstance(value, bytes):
        return _replace_bytes(value, holder)
    return value


def _replace_bytes(data: bytes, holder: Optional[_Holder]) -> str:
    if len(data) < _SHORTEST // 4 * 3:
        return base64.b64encode(data).decode()
    return _shown(holder.media_type if holder else "", len(data), hashlib.sha256(data).hexdigest())


def _text(text: str, key: str, holder: Optional[_Holder], texts: int) -> str:
    changed = _in_json(text, texts)
    if changed is text and _MARK in text:
        changed = _urls(text)
    if changed is not text or holder is None or _written(text) < _SHORTEST or text[_end(text, 0) :].strip("\r\n"):
        return changed
    if key in _ALWAYS:
        return _replaced(text, "")
    if (holder.picture if key == "result" else holder.media and key in _DATA):
        return _replaced(text, holder.media_type)
    return text


def _fold(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _written(text: str) -> int:
    """Returns how long base64 is in JSON, which writes a line break in two characters."""
    return len(text) + text.count("\n") + text.count("\r")


def _may_hold_media(text: str) -> bool:
    """Looks for a run of base64 at a few of the characters: such a run has one in each window of its length."""
    window = _SHORTEST // 2  # line breaks count twice
    end = window
    while end <= len(text):
        i = end - 1
        while i >= end - window and text[i] in _IN_BASE64:
            i -= 1
        if i < end - window:
            return True
        end = i + 1 + window
    return False


def _in_json(text: str, texts: int) -> str:
    """Replaces media in the JSON that a text holds, such as a chat. All else of it stays as it is."""
    if texts == 0 or text.lstrip(" \r\n\t")[:1] not in ("{", "["):
        return text
    changes: Dict[str, str] = {}
    try:
        _walk(json.loads(text), "", None, texts - 1, changes)
    except (ValueError, RecursionError):
        return text
    if not changes:
        return text

    def written(found: "re.Match[str]") -> str:
        token = found[0]
        value = json.loads(token, strict=False) if len(token) >= _SHORTEST // 2 else ""
        return json.dumps(changes[value], ensure_ascii=False) if value in changes else token

    return _STRING.sub(written, text)


def _end(text: str, at: int) -> int:
    """Returns the end of the base64 that begins at a place. A line break is part of it after a
    line as long as the first one; behind a shorter line, and behind the padding, other text begins."""
    at = _after(_BREAKS, text, at)
    end = _after(_LINE, text, at)
    first = end - at
    while first in _LINE_LENGTHS and text[end : end + 1] in ("\r", "\n"):
        at = _after(_BREAKS, text, end)
        end = _after(_LINE, text, at)
        if end - at != first:
            break
    return _after(_PADDING, text, end)


def _after(pattern: "re.Pattern[str]", text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _urls(text: str) -> str:
    """Replaces the data URLs in a text."""
    parts, kept, at = [], 0, 0
    while True:
        mark = text.find(_MARK, at)
        if mark < 0:
            break
        start = text.rfind("data:", max(at, mark - _LONGEST_TYPE), mark)
        data = mark + len(_MARK)
        at = _end(text, data)
        if start >= 0 and _written(text[data:at]) >= _SHORTEST:
            parts += [text[kept:start], _replaced(text[data:at], text[start + len("data:") : mark])]
            kept = at
    return "".join(parts) + text[kept:] if parts else text


def _replaced(text: str, media_type: str) -> str:
    """Returns what stands for base64."""
    return _shown(media_type, *_digest(text))


def _digest(text: str) -> Tuple[int, str]:
    """Returns the size of what base64 holds, and its digest, which is "" when the base64 is
    broken. It is decoded in pieces, between which other threads can run."""
    text = text.replace("\r", "").replace("\n", "").rstrip("=")
    size, whole = len(text) // 4 * 3, len(text) % 4 != 1
    if "-" in text or "_" in text:
        whole = whole and "+" not in text and "/" not in text
        text = text.translate(_ONE_ALPHABET)
    if not whole:
        return size, ""
    size, digest = 0, hashlib.sha256()
    for i in range(0, len(text), _PIECE):
        piece = text[i : i + _PIECE]
        data = binascii.a2b_base64(piece + "=" * (-len(piece) % 4))
        size += len(data)
        digest.update(data)
    return size, digest.hexdigest()


def _shown(media_type: str, size: int, digest: str) -> str:
    media_type = media_type.partition(";")[0]  # parameters may name the file
    if len(media_type) > _LONGEST_TYPE // 2 or not _TYPE.fullmatch(media_type.lower()):
        media_type = ""
    return f"data:{media_type};size={size}{';sha256=' * bool(digest)}{digest}{_MARK}"
