"""Real servers, stopped by SIGTERM as an orchestrator does: no event of an answered request is lost."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import Server, Sidecar, as_json
from test_wrap import CHAT

HERE = Path(__file__).parent
REQUESTS = 100


@pytest.mark.parametrize(
    "command, processes",
    [
        ("gunicorn apps:wsgi --workers 2 --bind fd://{fd}", 2),
        ("gunicorn apps:wsgi --workers 2 --preload --bind fd://{fd}", 2),
        ("gunicorn apps:wsgi --workers 2 --threads 4 --bind fd://{fd}", 2),
        ("uvicorn apps:asgi --log-level warning --fd {fd}", 1),
        ("uvicorn apps:asgi --workers 2 --log-level warning --fd {fd}", 2),
    ],
)
def test_every_event_arrives(command, processes):
    provider, sidecar = Server(), Sidecar()
    provider.answer = lambda path, body: as_json(CHAT)
    environ = {
        **os.environ, "PROVIDER": provider.url, "EVALWORKER_URL": sidecar.url,
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent / "src")]),
    }  # fmt: skip
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        words = [sys.executable, "-m", *command.format(fd=listener.fileno()).split()]
        process = subprocess.Popen(words, cwd=HERE, env=environ, pass_fds=[listener.fileno()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"

            def ask(i):
                with urllib.request.urlopen(f"{url}/{i}", timeout=60) as answer:
                    return answer.read().decode().split()

            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(ask, range(REQUESTS)))
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=60)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            provider.close()
            sidecar.close()
    assert "Traceback" not in said, said
    asked = [event for event in sidecar.events if event["feature"] != "import"]
    assert sorted(event["request_id"] for event in asked) == sorted(identity for _, identity in answers), said
    assert sorted(event["session_id"] for event in asked) == sorted(f"/{i}" for i in range(REQUESTS))
    assert 1 <= len({pid for pid, _ in answers}) <= processes
    loads = 1 if "--preload" in command else processes
    assert len(sidecar.events) - len(asked) == loads
