"""Measures what a wrapped request adds, with the sidecar up, hanging and down: `python bench/overhead.py`.

The client is OpenAI's own, over a transport that answers at once in the process, so that
the network is no part of the figure. The processor time is that of the thread of the
request; on a busy machine it is the better of the two. It takes some seconds.
"""

import gc
import json
import statistics
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

import httpx2  # noqa: E402
import openai  # noqa: E402

import evalworker  # noqa: E402

ROUNDS, REQUESTS = 8, 50
TEXT = "It is a question about an order that has not arrived yet. " * 16  # 1 KB
ANSWER = json.dumps({
    "id": "c", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": TEXT}}],
    "usage": {"prompt_tokens": 200, "completion_tokens": 200, "total_tokens": 400},
}).encode()
MESSAGES = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": TEXT}]


class Accept(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        n = self.rfile.read(int(self.headers["Content-Length"])).count(b"\n")
        body = b'{"accepted":%d}' % n
        self.send_response(202)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def client():
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, content=ANSWER, headers={"Content-Type": "application/json"}))
    return openai.OpenAI(api_key="k" * 8, http_client=httpx2.Client(transport=transport))


def times(ask):
    took = []
    for _ in range(REQUESTS):
        began, worked = time.perf_counter(), time.thread_time()
        ask(model="m", messages=MESSAGES)
        took.append(((time.perf_counter() - began) * 1e6, (time.thread_time() - worked) * 1e6))
    return took


def main():
    up = ThreadingHTTPServer(("127.0.0.1", 0), Accept)
    threading.Thread(target=up.serve_forever, daemon=True).start()
    hanging = create_server(("127.0.0.1", 0))
    urls = {
        "up": f"http://127.0.0.1:{up.server_port}",
        "hanging": f"http://127.0.0.1:{hanging.getsockname()[1]}",
        "down": "http://127.0.0.1:9",
    }
    ways = {"bare": client()}
    publishers = {name: evalworker.Publisher(url, exit_timeout=0.1) for name, url in urls.items()}
    for name in urls:
        ways[name] = evalworker.wrap(client(), feature="bench")
    found = {name: [] for name in ways}
    gc.disable()
    for round_ in range(ROUNDS + 1):
        for name, way in ways.items():  # by turns, so that a busy machine is as busy for each
            if name != "bare":
                evalworker.configure(publishers[name])
            took = times(way.chat.completions.create)
            if round_:
                found[name] += took
        gc.collect()
    bare = [statistics.median(column) for column in zip(*found["bare"])]
    print(f"bare: p50 {bare[0]:.0f} us, {bare[1]:.0f} us of processor time")
    for name in urls:
        p50 = [statistics.median(column) for column in zip(*found[name])]
        print(f"sidecar {name}: adds {p50[0] - bare[0]:.0f} us, {p50[1] - bare[1]:.0f} us of processor time; waiting: {publishers[name].stats['waiting']}")


main()
