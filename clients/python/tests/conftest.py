import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import evalworker
from evalworker import _call
from evalworker._log import limited


class Server:
    """An HTTP server on loopback whose answers a test gives."""

    closes = False  # whether it closes a connection after an answer, without a word

    def __init__(self):
        self.requests, self.answers = [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.requests.append((self.path, dict(self.headers), body))
                status, kind, answer = outer.answer(self.path, body)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(answer)))
                if status in (429, 503):
                    self.send_header("Retry-After", "0.05")
                self.end_headers()
                self.wfile.write(answer)
                self.close_connection = outer.closes

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def answer(self, path, body):
        return self.answers.pop(0)

    def close(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


class Sidecar(Server):
    """Accepts events as emitter serve does."""

    def answer(self, path, body):
        if self.answers:
            return self.answers.pop(0)
        lines = [json.loads(line) for line in body.splitlines() if line.strip()]
        return 202, "application/json", json.dumps({"accepted": len(lines)}).encode()

    @property
    def events(self):
        return [json.loads(line) for _, _, body in self.requests for line in body.splitlines()]


def as_json(value):
    return 200, "application/json", json.dumps(value).encode()


def as_stream(events, named=False):
    text = "".join((f"event: {e['type']}\n" if named else "") + "data: " + json.dumps(e) + "\n\n" for e in events)
    return 200, "text/event-stream", (text + ("" if named else "data: [DONE]\n\n")).encode()


@pytest.fixture(autouse=True)
def nothing_was_logged():
    limited.forget()


@pytest.fixture
def provider():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def sidecar(monkeypatch):
    server = Sidecar()
    publisher = evalworker.Publisher(server.url, linger=0.0)
    monkeypatch.setattr(_call, "_default", publisher)
    monkeypatch.setattr(_call, "_base", {})
    yield server
    publisher.close(5)
    server.close()


@pytest.fixture
def one_event(sidecar):
    def take(n=1):
        assert evalworker.flush(10), evalworker.publisher().stats
        assert len(sidecar.events) == n, sidecar.events
        return sidecar.events[0] if n == 1 else sidecar.events

    return take
