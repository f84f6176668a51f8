"""The publisher: a bounded queue, and one thread that sends it to the sidecar."""

from __future__ import annotations

import atexit
import http.client
import json
import logging
import os
import sys
import threading
import time
import weakref
from collections import deque
from typing import Any, Deque, Dict, List, Optional
from urllib.parse import urlsplit

log = logging.getLogger("evalworker")

DEFAULT_URL = "http://127.0.0.1:8788"
_BATCH_EVENTS = 100
_BATCH_BYTES = 1 << 20
_IDLE_SECONDS = 30.0  # the sidecar, or what lies between, closes a connection that is idle for longer


class Publisher:
    """Sends events to `emitter serve`.

    `publish` puts an event into a queue of at most `max_events` and `max_bytes`, and
    returns; it never waits and never raises. When the queue is full, the event is
    dropped and counted, so that a sidecar that is away costs memory up to the bound and
    nothing else. A daemon thread, started with the first event, sends up to a hundred
    events in one request and tries again while the sidecar is away or says so.
    """

    def __init__(
        self,
        url: Optional[str] = None,
        token: Optional[str] = None,
        max_events: int = 10_000,
        max_bytes: int = 64 << 20,
        timeout: float = 10.0,
        linger: float = 0.1,
    ) -> None:
        self.url = url or os.environ.get("EVALWORKER_URL") or os.environ.get("EMITTER_URL") or DEFAULT_URL
        given = token if token is not None else os.environ.get("EVALWORKER_TOKEN") or os.environ.get("EMITTER_TOKEN", "")
        self.token = given.strip()  # one from a file often ends with a new line, which no header may hold
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"evalworker: {self.url!r} is no URL of a sidecar; write http://host:8788")
        self._parts = parts
        self.max_events, self.max_bytes = max_events, max_bytes
        self.timeout, self.linger = timeout, linger
        self._start_over()
        _publishers.add(self)

    def _start_over(self) -> None:
        """Begins with an empty queue and no thread, as in a forked child."""
        self._queue: Deque[bytes] = deque()
        self._bytes = 0
        self._sending = 0  # events of the batch that is under way
        self._changed = threading.Condition()
        self._thread: Optional[threading.Thread] = None
        self._closed = False
        self._hurry = False
        self._connection: Optional[http.client.HTTPConnection] = None
        self._used = 0.0  # when the connection was
        self._warned = 0.0
        self.stats: Dict[str, Any] = {"accepted": 0, "refused": 0, "dropped": 0, "retries": 0, "last_error": ""}

    def publish(self, event: Dict[str, Any]) -> bool:
        """Queues an event. Returns False when it was dropped; `stats` says how many were."""
        try:
            return self._enqueue(encode(event))
        except Exception as error:  # the request goes on whatever happens here
            self._drop(1, f"an event cannot be written as JSON: {type(error).__name__}")
            return False

    def _enqueue(self, line: bytes) -> bool:
        with self._changed:
            if self._closed:
                self._drop_locked(1, "published after close")
                return False
            if len(self._queue) >= self.max_events or self._bytes + len(line) > self.max_bytes:
                self._drop_locked(1, "the queue is full: the sidecar does not keep up or is away")
                return False
            self._queue.append(line)
            self._bytes += len(line)
            if self._thread is None:
                self._start()
            self._changed.notify_all()
            return True

    def _start(self) -> None:
        """Starts the thread. When the system has none, the event waits for the next one's."""
        thread = threading.Thread(target=self._run, name="evalworker", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self._say(f"{error}; {len(self._queue)} events wait")
            return
        self._thread = thread
        # A child of multiprocessing ends without the hooks of atexit.
        process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
        if process is not None and util is not None and process.parent_process() is not None:
            util.Finalize(None, _at_exit, exitpriority=0)

    def flush(self, timeout: float = 5.0) -> bool:
        """Waits until everything that was published has been accepted by the sidecar, or
        given up. Returns False when `timeout` seconds were not enough."""
        end = time.monotonic() + timeout
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            try:
                while self._queue or self._sending:
                    left = end - time.monotonic()
                    if left <= 0:
                        return False
                    self._changed.wait(left)
                return True
            finally:
                self._hurry = False

    def close(self, timeout: float = 5.0) -> bool:
        """Flushes and stops. Events that are left after `timeout` are dropped and counted."""
        sent = self.flush(timeout)
        with self._changed:
            self._closed = True
            if self._queue:
                self._drop_locked(len(self._queue), "closed before they were sent")
                self._queue.clear()
                self._bytes = 0
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(0.5)
        return sent

    def _drop(self, n: int, why: str) -> None:
        with self._changed:
            self._drop_locked(n, why)

    def _drop_locked(self, n: int, why: str) -> None:
        self.stats["dropped"] += n
        self._say(f"{self.stats['dropped']} events dropped: {why}")

    def _say(self, text: str) -> None:
        """Logs a trouble, at most once a minute."""
        self.stats["last_error"] = text
        now = time.monotonic()
        if self._warned and now - self._warned < 60:
            return
        self._warned = now
        log.warning("evalworker: %s", text)

    def _run(self) -> None:
        while True:
            batch = self._take()
            if batch is None:
                self._hang_up()
                return
            try:
                self._send(batch)
            except Exception as error:  # nothing may end the thread; the text may hold the token
                self._drop(len(batch), f"they cannot be sent: {type(error).__name__}")
            with self._changed:
                self._sending = 0
                self._changed.notify_all()

    def _take(self) -> Optional[List[bytes]]:
        """Waits for events, and a moment for more of them."""
        with self._changed:
            while not self._queue:
                if self._closed:
                    return None
                self._changed.wait()
            if not self._hurry and len(self._queue) < _BATCH_EVENTS:
                self._changed.wait_for(lambda: self._hurry or self._closed or len(self._queue) >= _BATCH_EVENTS, self.linger)
            batch, size = [], 0
            while self._queue and len(batch) < _BATCH_EVENTS and (not batch or size + len(self._queue[0]) <= _BATCH_BYTES):
                line = self._queue.popleft()
                batch.append(line)
                size += len(line)
            self._bytes -= size
            self._sending = len(batch)
            return batch

    def _send(self, batch: List[bytes]) -> None:
        """Sends a batch until the sidecar has it, has refused it, or the publisher closes.
        One that is too large as a whole is sent in halves."""
        attempt = 0
        while True:
            wait, error = 0.0, ""
            try:
                status, body, retry_after = self._post(b"".join(batch))
            except (OSError, http.client.HTTPException) as problem:
                self._hang_up()
                wait, error = min(0.1 * 2**attempt, 5.0), f"{self.url} does not answer: {type(problem).__name__}: {problem}"
            else:
                if status in (408, 429) or status >= 500:
                    wait, error = retry_after, f"{self.url} answers {status}"
                elif status == 413 and len(batch) > 1:
                    half = len(batch) // 2
                    self._send(batch[:half])
                    self._send(batch[half:])
                    return
                else:
                    self._settle(batch, status, body)
                    return
            attempt += 1
            with self._changed:
                self.stats["retries"] += 1
                self._say(f"{error}; {len(batch) + len(self._queue)} events wait")
                self._changed.wait_for(lambda: self._closed, wait)
                if self._closed:
                    self._drop_locked(len(batch), "closed before they were sent")
                    return

    def _settle(self, batch: List[bytes], status: int, body: bytes) -> None:
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):  # not the sidecar's own answer; the status says enough
            answer = {}
        accepted = answer.get("accepted", len(batch) if status == 202 else 0)
        with self._changed:
            self.stats["accepted"] += accepted
            refused = len(batch) - accepted
            if refused > 0:
                self.stats["refused"] += refused
                faults = answer.get("faults") or [{"problem": answer.get("error", "")}]
                self._say(f"{self.url} answers {status} and refuses {refused} of {len(batch)} events: {faults[0].get('problem', '')}")

    def _post(self, body: bytes):
        if time.monotonic() - self._used > _IDLE_SECONDS:
            self._hang_up()
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
            self._connection = kind(self._parts.hostname, self._parts.port, timeout=self.timeout)
        headers = {"Content-Type": "application/x-ndjson"}
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        cut_off = False
        try:
            self._connection.request("POST", self._parts.path.rstrip("/") + "/v1/events", body, headers)
        except (BrokenPipeError, ConnectionResetError):
            cut_off = True  # who refuses a body need not read it to its end: the answer may be there
        response = self._connection.getresponse()
        answer = response.read()
        self._used = time.monotonic()
        try:
            retry_after = min(max(float(response.getheader("Retry-After", "1")), 0.05), 30.0)
        except ValueError:
            retry_after = 1.0
        if cut_off or response.will_close:
            self._hang_up()
        return response.status, answer, retry_after

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


_publishers: "weakref.WeakSet[Publisher]" = weakref.WeakSet()


def _after_fork() -> None:
    """The child has no thread, and what waits belongs to the parent."""
    for publisher in list(_publishers):
        publisher._start_over()


def _at_exit() -> None:
    for publisher in list(_publishers):
        publisher.close(2.0)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)


def encode(event: Dict[str, Any]) -> bytes:
    """Returns an event as one line of JSON. What JSON has no form for becomes text, and
    NaN and infinities become null."""
    try:
        text = json.dumps(event, default=plain, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, TypeError):
        text = json.dumps(_finite(event), default=plain, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace") + b"\n"


def plain(value: Any) -> Any:
    """Returns an object of another library in a form that JSON has."""
    for name in ("model_dump", "to_dict", "dict"):
        method = getattr(value, name, None)
        if callable(method) and not isinstance(value, type):
            try:
                found = method(mode="json", exclude_unset=True, warnings=False) if name == "model_dump" else method()
            except Exception:  # another meaning of the name, or a version that differs
                continue
            if found is not value:
                return found
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"[{len(value)} bytes]"
    if isinstance(value, (set, frozenset)):
        return list(value)
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if hasattr(value, "isoformat"):
        return value.isoformat()
    try:
        return str(value)
    except Exception:  # the rest of the event is worth more than this
        return f"[{type(value).__name__}]"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if value is None or isinstance(value, (str, int, bool, float)):
        return value
    return _finite(plain(value))
