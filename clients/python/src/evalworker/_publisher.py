"""The publisher: a bounded queue, and one thread that sends it to the sidecar."""

from __future__ import annotations

import codecs
import http.client
import json
import logging
import os
import threading
import time
from collections import deque
from typing import Any, Deque, Dict, List, Optional, Tuple
from urllib.parse import urlsplit

from . import _exit
from ._event import Prepare, line_of, preparing, without_content
from ._log import describe, limited
from ._values import TooLarge, copy_sized
from ._version import __version__

DEFAULT_URL = "http://127.0.0.1:8788"
_BATCH_EVENTS = 500
_BATCH_BYTES = 1 << 20
codecs.lookup("idna")  # of names of hosts; a fork while the thread imports it would leave the child without it, or waiting for it
_IDLE_SECONDS = 30.0  # the sidecar, or what lies between, closes a connection that is idle for longer


class Publisher:
    """Sends events to `emitter serve`.

    `publish` copies an event into a queue of at most `max_events` and `max_bytes`, and
    returns; it never waits and never raises. When the queue is full, the event is
    dropped and counted, so that a sidecar that is away costs memory up to the bound and
    nothing else. A daemon thread, started with the first event, does the rest: it
    replaces media by digests, calls `prepare`, and sends up to 500 events in one
    request, again and again while the sidecar is away or says so.

    `prepare` gets an event as a dict that it may change, and returns it, or None to drop
    it. When it raises, the event goes without its content. It runs in the thread, where
    the context of the request is gone. `max_event_bytes` bounds one event; a larger one
    goes without its content. `timeout` is that of one request to the sidecar, `linger`
    how long an event waits for others, `exit_timeout` how long the end of the process
    waits for the queue (a second at most when nobody answers), all in seconds.
    """

    def __init__(
        self,
        url: Optional[str] = None,
        token: Optional[str] = None,
        *,
        prepare: Optional[Prepare] = None,
        max_events: int = 10_000,
        max_bytes: int = 64 << 20,
        max_event_bytes: int = 1_000_000,
        timeout: float = 10.0,
        linger: float = 0.1,
        exit_timeout: float = 5.0,
    ) -> None:
        self.url = url or os.environ.get("EVALWORKER_URL") or DEFAULT_URL
        given = token if token is not None else os.environ.get("EVALWORKER_TOKEN", "")
        self._token = given.strip()  # one from a file often ends with a new line, which no header may hold
        self._off = self.url == "off"
        parts = urlsplit(DEFAULT_URL if self._off else self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"evalworker: {_without_login(self.url)!r} is no URL of a sidecar; write http://host:8788")
        self._name = _without_login(self.url)
        self._host, self._port, self._path = parts.hostname, parts.port, parts.path.rstrip("/") + "/v1/events"
        self._secure = parts.scheme == "https"
        self.prepare = prepare
        self.max_events, self.max_bytes, self.max_event_bytes = max_events, max_bytes, max_event_bytes
        self.timeout, self.linger, self.exit_timeout = timeout, linger, exit_timeout
        self._start_over()
        _exit.watch(self)

    def _start_over(self) -> None:
        """Begins with an empty queue and no thread, as in a forked child."""
        self._changed = threading.Condition()  # its lock may be taken again by a signal's handler
        self._new: Deque[Tuple[Dict[str, Any], int]] = deque()  # events as they were published, and about how large they are
        self._lines: Deque[bytes] = deque()  # events as they are sent
        self._waiting = 0  # events that are neither sent nor given up
        self._bytes = 0  # of them
        self._thread: Optional[threading.Thread] = None
        self._closed = False
        self._hurry = False
        self._connection: Optional[http.client.HTTPConnection] = None
        self._used = 0.0  # when the connection was
        self._away = False  # whether nobody answered the last request
        self._outage = ""  # why events wait: the last attempt failed
        self._outage_logged = False
        self._stats: Dict[str, Any] = {
            "accepted": 0, "rejected": 0, "dropped": 0, "filtered": 0, "withheld": 0, "retries": 0, "warnings": 0, "errors": 0, "last_error": "", "last_warning": "",
        }  # fmt: skip

    @property
    def stats(self) -> Dict[str, Any]:
        """What became of the events: `accepted` by the sidecar, `rejected` by it, `dropped` because
        the queue was full or the process ended, `filtered` by `prepare`, and `waiting`; `withheld`
        went without their content, `errors` were requests of which no event could be made.
        `warnings` are fields that the sidecar reads in another way than they were meant, names that
        are no field and were left out, and ratings that the worker cannot read, `retries` requests to the sidecar that were repeated;
        `last_error` and `last_warning` are the latest."""
        with self._changed:
            return {**self._stats, "waiting": self._waiting}

    def publish(self, event: Dict[str, Any]) -> bool:
        """Queues an event. Returns False when it was dropped; `stats` says how many were.
        With the URL "off" nothing is published, and nothing counted."""
        if self._off:
            return False
        try:
            try:
                copied, size = copy_sized(event)
            except TooLarge:
                copied, size = copy_sized(without_content(event, "too_large"))
                self._count("withheld", 1)
            why = self._enqueue(copied, size)
        except Exception as error:  # the request goes on whatever happens here
            why = f"no event can be made of it: {describe(error)}"
        if why:
            self._drop(1, why)
        return not why

    def _enqueue(self, event: Dict[str, Any], size: int) -> str:
        """Puts an event into the queue, or returns why not."""
        with self._changed:
            if self._closed:
                return "published after close"
            if self._waiting >= self.max_events or self._bytes + size > self.max_bytes:
                return "the queue is full: the sidecar does not keep up or is away"
            if preparing.get():
                return "published by the hook that prepares events"
            self._new.append((event, size))
            self._waiting += 1
            self._bytes += size
            if len(self._new) == 1 or len(self._new) >= _BATCH_EVENTS:  # else the thread is awake, or lingers
                self._changed.notify_all()
            if self._thread is None:
                self._start()
            return ""

    def _start(self) -> bool:
        """Starts the thread. When the system has none, the events wait for the next attempt."""
        thread = threading.Thread(target=self._run, name="evalworker", daemon=True)
        self._thread = thread
        try:
            thread.start()
        except RuntimeError as error:
            self._thread = None
            self._say(f"{error}; {self._waiting} events wait")
            return False
        _exit.watch_process()
        return True

    def flush(self, timeout: float = 5.0) -> bool:
        """Waits until everything that was published has been accepted by the sidecar, or
        given up. Returns False when `timeout` seconds were not enough. In asyncio:
        `await asyncio.to_thread(publisher.flush)`."""
        end = time.monotonic() + timeout
        with self._changed:
            if self._waiting and self._thread is None and not self._start():
                return False
            if self._thread is threading.current_thread():  # the hook waits for itself
                return False
            self._hurry = True
            self._changed.notify_all()
            try:
                while self._waiting > 0 and not self._closed:  # less than 0 when a signal's handler interrupts publish
                    left = end - time.monotonic()
                    if left <= 0:
                        return False
                    self._changed.wait(left)
                return self._waiting <= 0
            finally:
                self._hurry = False

    def close(self, timeout: float = 5.0) -> bool:
        """Flushes and stops. Events that are left after `timeout` seconds are dropped and counted,
        and so is what is published later. Closing again does nothing."""
        return self._close(timeout, "close")

    def _close(self, timeout: float, when: str) -> bool:
        sent = self.flush(timeout)
        with self._changed:
            closed, self._closed = self._closed, True
            lost, why = self._waiting, self._outage
            left = len(self._new) + len(self._lines)
            self._new.clear()
            self._lines.clear()
            self._waiting -= left
            self._changed.notify_all()
            thread = self._thread
        if left:
            self._drop(left, "closed before they were sent")
        if thread is not None and thread is not threading.current_thread() and not closed:
            thread.join(0.5)
        if lost > 0 and not closed:  # whatever was logged in the last minute: nothing can be logged later
            limited.always(logging.WARNING, f"{lost} events lost at {when}: {why or self._name + ' has not answered in time'}")
        return sent

    def close_at_exit(self, timeout: Optional[float] = None) -> None:
        """Closes when the process ends: within `timeout`, by default `exit_timeout`, or a second when nobody answers."""
        if timeout is None:
            timeout = min(self.exit_timeout, 1.0) if self._away else self.exit_timeout
        self._close(timeout, "exit")

    def note(self, text: str) -> None:
        """Counts a request of which no event could be made, and logs why, once a minute."""
        self._count("errors", 1)
        self._say(text)

    def warn(self, text: str, about: str) -> None:
        """Counts a mistake in what the application passes among the `warnings`, and logs it, for
        each name that it is `about` once a minute."""
        if not self._off:
            self._count("warnings", 1)
            self._stats["last_warning"] = text
        limited.warn(text, about)

    def _drop(self, n: int, why: str) -> None:
        self._count("dropped", n)
        self._say(f"{self._stats['dropped']} events dropped: {why}")

    def _count(self, name: str, n: int) -> None:
        with self._changed:
            self._stats[name] += n

    def _say(self, text: str) -> bool:
        self._stats["last_error"] = text
        return limited.warn(text)

    # What follows runs in the thread.

    def _run(self) -> None:
        while True:
            try:
                if not self._wait():
                    self._hang_up()
                    return
                self._write_lines(_BATCH_EVENTS)
                batch = self._take()
                if batch:
                    self._send(batch)
            except Exception as error:  # nothing may end the thread
                self.note(f"the thread that sends events: {describe(error)}")

    def _wait(self) -> bool:
        """Waits for events, and a moment for more of them. Returns False when the publisher closes."""
        with self._changed:
            while not self._new and not self._lines:
                if self._closed:
                    return False
                self._changed.wait()
            if not self._lines and len(self._new) < _BATCH_EVENTS:
                self._changed.wait_for(lambda: self._hurry or self._closed or len(self._new) >= _BATCH_EVENTS, self.linger)
            return True

    def _write_lines(self, most: int) -> None:
        """Makes lines of events: here, and not when they are published, because that is in a request."""
        while True:
            with self._changed:
                if not self._new or len(self._lines) >= most:
                    return
                event, size = self._new.popleft()
            line, withheld = None, ""
            try:
                line, withheld = line_of(event, self.prepare, self.max_event_bytes)
                fate = "filtered"
            except Exception as error:
                fate = "dropped"
                self._say(f"an event dropped: {describe(error)}")
            with self._changed:
                self._bytes -= size
                if line is None:
                    self._waiting -= 1
                    self._stats[fate] += 1
                    self._changed.notify_all()
                elif self._closed:
                    self._waiting -= 1
                    self._stats["dropped"] += 1
                else:
                    self._lines.append(line)
                    size = len(line)
                    self._bytes += size
                if withheld:
                    self._stats["withheld"] += 1
            if withheld:
                self._say(f"{self._stats['withheld']} events go without their content; the last one: {withheld}")

    def _take(self) -> List[bytes]:
        with self._changed:
            batch: List[bytes] = []
            size = 0
            while self._lines and len(batch) < _BATCH_EVENTS and (not batch or size + len(self._lines[0]) <= _BATCH_BYTES):
                line = self._lines.popleft()
                batch.append(line)
                size += len(line)
            return batch

    def _settle(self, batch: List[bytes], fate: str) -> None:
        """Counts events of which the fate is known."""
        n, size = len(batch), sum(map(len, batch))  # a call between reading and writing a count may collect a stream, which publishes
        with self._changed:
            self._stats[fate] += n
            self._waiting -= n
            self._bytes -= size
            self._changed.notify_all()

    def _send(self, batch: List[bytes]) -> None:
        """Sends a batch until the sidecar has it, has refused it, or the publisher closes.
        Whatever fails is tried again: what is queued meanwhile has its bounds. A batch that
        is too large as a whole is sent in halves."""
        attempt = 0
        while True:
            try:
                status, body, wait = self._post(b"".join(batch))
                error, self._away = f"{self._name} answers {status}", False
            except Exception as problem:
                self._hang_up()
                status, body, wait = 0, b"", min(0.1 * 2**attempt, 5.0)
                if isinstance(problem, (OSError, http.client.HTTPException)):
                    error = f"{self._name} does not answer: {type(problem).__name__}: {problem}"
                else:  # such as a token that no header may hold, which the text would tell
                    error = f"nothing can be sent to {self._name}: {describe(problem)}"
                self._away = True
            if status == 413 and len(batch) > 1:
                half = len(batch) // 2
                self._send(batch[:half])
                self._send(batch[half:])
                return
            if status not in (0, 408, 429) and status < 500:
                self._read_answer(batch, status, body)
                return
            attempt = min(attempt + 1, 10)
            self._count("retries", 1)
            self._outage = error
            self._outage_logged |= self._say(f"{error}; {self._waiting} events wait")
            self._write_lines(self.max_events)  # their media need no memory while they wait
            with self._changed:
                self._changed.wait_for(lambda: self._closed, wait)
                closed = self._closed
            if closed:
                self._settle(batch, "dropped")
                self._say(f"{self._stats['dropped']} events dropped: closed before they were sent")
                return

    def _read_answer(self, batch: List[bytes], status: int, body: bytes) -> None:
        if self._outage_logged:  # else nobody has read of it, and a sidecar that is often busy would fill the log
            limited.always(logging.INFO, f"{self._name} answers again; {self._waiting} events wait")
        self._outage, self._outage_logged = "", False
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):  # not the sidecar's own answer; the status says enough
            answer = {}
        accepted = answer.get("accepted")
        if not isinstance(accepted, int) or not 0 <= accepted <= len(batch):
            accepted = len(batch) if status == 202 else 0
        self._settle(batch[:accepted], "accepted")
        self._settle(batch[accepted:], "rejected")
        if accepted < len(batch):
            why = _first(answer.get("faults"), "problem") or str(answer.get("error", ""))
            self._say(f"{self._name} answers {status} and refuses {len(batch) - accepted} of {len(batch)} events: {why[:300]}")
        warnings = answer.get("warnings")
        if isinstance(warnings, list) and warnings:
            more = answer.get("more_warnings")
            self._count("warnings", len(warnings) + (more if isinstance(more, int) else 0))
            self._stats["last_warning"] = _first(warnings, "field", "problem", "mend")[:300]
            limited.warn(f"the sidecar warns of {self._stats['warnings']} fields or events; the last: {self._stats['last_warning']}")

    def _post(self, body: bytes) -> Tuple[int, bytes, float]:
        """Returns status, body, and after how many seconds to try again."""
        if time.monotonic() - self._used > _IDLE_SECONDS:
            self._hang_up()
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            self._connection = kind(self._host, self._port, timeout=self.timeout)
        headers = {"Content-Type": "application/x-ndjson", "User-Agent": "evalworker-python/" + __version__}
        if self._token:
            headers["Authorization"] = "Bearer " + self._token
        cut_off = False
        try:
            self._connection.request("POST", self._path, body, headers)
        except (BrokenPipeError, ConnectionResetError):
            cut_off = True  # who refuses a body need not read it to its end: the answer may be there
        response = self._connection.getresponse()
        answer = response.read()
        self._used = time.monotonic()
        try:
            retry_after = min(max(float(response.getheader("Retry-After") or 1), 0.05), 30.0)
        except ValueError:
            retry_after = 1.0
        if cut_off or response.will_close:
            self._hang_up()
        return response.status, answer, retry_after

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _without_login(url: str) -> str:
    """Returns a URL as the log may show it."""
    scheme, _, rest = url.rpartition("//")
    return scheme + "//" * bool(scheme) + rest.rpartition("@")[2]


def _first(listed: Any, *names: str) -> str:
    """Returns members of the first of a list of dicts, or the first itself."""
    if not isinstance(listed, list) or not listed:
        return ""
    first = listed[0]
    if not isinstance(first, dict):
        return str(first)
    return ": ".join(str(first[name]) for name in names if first.get(name))
