"""The package as a registry and a type checker see it. Nothing is fetched."""

import email
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import evalworker

FOLDER = Path(__file__).parent.parent

USER = """
from typing import AsyncIterator

import evalworker


class Client:
    pass


@evalworker.observe
def plain(question: str) -> str:
    return question


@evalworker.observe(prompt_name="triage")
async def stream(question: str) -> AsyncIterator[str]:
    yield question


client: Client = evalworker.wrap(Client(), feature="support")
answer: str = plain("Hi")
plain(1)  # type: ignore[arg-type]
stream(1)  # type: ignore[arg-type]
with evalworker.scope(session="s"), evalworker.observe(input="Hi") as call:
    call.output = {"any": "value"}
    rating: bool = evalworker.feedback(call.request_id, "up", comment="good")
evalworker.configure(prepare=lambda event: {**event, "input": None}, service="api")
evalworker.configure(prepare=lambda event: 7)  # type: ignore[arg-type,return-value]
sent: bool = evalworker.flush(5) and evalworker.publisher().close()
"""


def run(*words, **options):
    done = subprocess.run([sys.executable, "-m", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, **options)
    assert done.returncode == 0, done.stdout


def test_wheel(tmp_path):
    run("pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(tmp_path), str(FOLDER))
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = email.message_from_bytes(archive.read(next(name for name in names if name.endswith("METADATA"))))
    assert metadata["Version"] == evalworker.__version__ and metadata["License-Expression"] == "Apache-2.0"
    assert "evalworker/py.typed" in names and "evalworker/langchain.py" in names and any(name.endswith("LICENSE") for name in names)
    assert "import evalworker" in metadata.get_payload()
    assert all("](http" in part or "](#" in part for part in ("](" + rest for rest in metadata.get_payload().split("](")[1:]))  # a registry has no other files


def test_types(tmp_path):
    """The package, and what a type checker knows of it in an application."""
    (tmp_path / "application.py").write_text(USER)
    run("mypy", "--strict", "--cache-dir", str(tmp_path), str(FOLDER / "src"), str(tmp_path / "application.py"), env={**os.environ, "MYPYPATH": str(FOLDER / "src")})
