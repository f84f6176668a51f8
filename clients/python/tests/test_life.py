"""The life of a process: its end, its children, and a sidecar that is away."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import evalworker
from evalworker import Publisher

SRC = str(Path(__file__).parent.parent / "src")


def run(program, url, stop=None):
    """Runs a program in a process of its own, stops it with a signal when it says `ready`, and
    returns its exit code and what it said."""
    environ = {**os.environ, "EVALWORKER_URL": url, "PYTHONPATH": SRC}
    process = subprocess.Popen([sys.executable, "-c", program], env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said = ""
        if stop is not None:
            said = process.stdout.readline()
            assert said == "ready\n", said + process.communicate(timeout=60)[0]
            process.send_signal(stop)
        said += process.communicate(timeout=60)[0]
        return process.returncode, said
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


PUBLISH = """
import evalworker, os, signal, sys, threading, time
def publish(name, n):
    for i in range(n):
        with evalworker.observe(request_id=f"{name}-{i}", input="x" * 500) as call:
            call.output = "y" * 500
"""


def ids(sidecar):
    return sorted(event["request_id"] for event in sidecar.events)


def want(*names, n):
    return sorted(f"{name}-{i}" for name in names for i in range(n))


def test_sigterm_loses_nothing(sidecar):
    program = PUBLISH + """
evalworker.flush_on_sigterm()
publish("a", 10_000)
print("ready", flush=True)
signal.pause()
"""
    code, said = run(program, sidecar.url, signal.SIGTERM)
    assert ids(sidecar) == want("a", n=10_000), said
    assert code == -signal.SIGTERM and said == "ready\n"


def test_sigterm_in_the_middle_of_publishing(sidecar):
    """The handler runs in the main thread, whatever that does, also while it holds the queue's lock."""
    program = PUBLISH + """
evalworker.flush_on_sigterm()
def told():
    time.sleep(0.2)
    print("ready", flush=True)
threading.Thread(target=told, daemon=True).start()
i = 0
while True:
    publish(f"a{i}", 1)
    i += 1
    if i % 20 == 0:
        time.sleep(0.001)  # an idle machine would fill the queue before the signal
"""
    code, said = run(program, sidecar.url, signal.SIGTERM)
    numbers = sorted(int(name[1:].split("-")[0]) for name in ids(sidecar))
    # The one that was just published when the signal came is under way in no queue yet.
    assert code == -signal.SIGTERM and numbers == list(range(len(numbers))) and numbers, said


def test_the_handler_that_was_set_is_called(sidecar):
    program = PUBLISH + """
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(7))
evalworker.flush_on_sigterm()
publish("a", 10)
print("ready", flush=True)
signal.pause()
"""
    code, _ = run(program, sidecar.url, signal.SIGTERM)
    assert code == 7 and ids(sidecar) == want("a", n=10)


@pytest.mark.parametrize(
    "end",
    [
        "sys.exit(0)",
        "raise KeyboardInterrupt",
        "evalworker.publisher().close(); evalworker.publisher().close(); assert evalworker.flush(1); publish('late', 1)",
    ],
)
def test_the_end_of_a_process(sidecar, end):
    _, said = run(PUBLISH + "publish('a', 500)\n" + end, sidecar.url)
    assert ids(sidecar) == want("a", n=500), said
    assert ("published after close" in said) == ("late" in end)


CHILDREN = {
    "fork": """
pid = os.fork()
if pid == 0:
    publish("child", 100)
    sys.exit(0)
os.waitpid(pid, 0)
""",
    "fork while threads publish": """
threads = [threading.Thread(target=publish, args=(f"t{i}", 100)) for i in range(4)]
for thread in threads: thread.start()
pids = []
for i in range(4):
    pid = os.fork()
    if pid == 0:
        publish(f"child{i}", 50)
        os._exit(0 if evalworker.flush(20) else 1)
    pids.append(pid)
assert all(os.waitpid(pid, 0)[1] == 0 for pid in pids)
for thread in threads: thread.join()
""",
    "multiprocessing": """
import multiprocessing
process = multiprocessing.get_context("fork").Process(target=publish, args=("child", 100))
process.start()
process.join()
""",
    "pool": """
import concurrent.futures, multiprocessing
with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
    list(pool.map(publish, ["child0", "child1"], [50, 50]))
""",
}


@pytest.mark.parametrize("how", CHILDREN)
def test_children(sidecar, how):
    code, said = run(PUBLISH + "publish('parent', 100)\n" + CHILDREN[how], sidecar.url)
    assert code == 0, said
    more = {
        "fork": want("child", n=100),
        "fork while threads publish": want(*[f"t{i}" for i in range(4)], n=100) + want(*[f"child{i}" for i in range(4)], n=50),
        "multiprocessing": want("child", n=100),
        "pool": want("child0", "child1", n=50),
    }[how]
    assert ids(sidecar) == sorted(want("parent", n=100) + more), said


def test_the_thread_imports_nothing(sidecar):
    """A fork during an import in a thread leaves the child with half a module, and with a lock that nobody releases."""
    sidecar.answers.append((503, "application/json", b"{}"))
    program = PUBLISH + """
before = set(sys.modules)
publish("a", 1)
assert evalworker.flush(20)
print(sorted(set(sys.modules) - before))
"""
    code, said = run(program, sidecar.url.replace("127.0.0.1", "localhost"))
    assert code == 0 and said.endswith("[]\n") and "answers 503" in said and ids(sidecar)[-1:] == ["a-0"], said


def test_a_child_of_spawn(sidecar, tmp_path):
    (tmp_path / "program.py").write_text(PUBLISH + """
import multiprocessing
if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=publish, args=("child", 100))
    process.start()
    process.join()
""")
    code, said = run(f"import runpy; runpy.run_path({str(tmp_path / 'program.py')!r}, run_name='__main__')", sidecar.url)
    assert code == 0 and ids(sidecar) == want("child", n=100), said


def test_without_a_sidecar_a_process_ends_all_the_same():
    code, said = run(PUBLISH + "publish('a', 10)\nprint(evalworker.flush(0.5), evalworker.publisher().stats['waiting'])", "http://127.0.0.1:9")
    assert code == 0 and "False 10" in said and "does not answer: ConnectionRefusedError" in said and "Traceback" not in said


@pytest.mark.parametrize("end, code", [("", 0), ("sys.exit(3)", 3), ("raise KeyError", 1)])
def test_what_an_end_of_the_process_loses_is_its_last_line(end, code):
    """Also when there was a warning in the same minute, and without a handler for the log."""
    got, said = run(PUBLISH + "publish('a', 10)\nevalworker.flush(0.3)\n" + end, "http://127.0.0.1:9")
    last = said.splitlines()[-1]
    assert got == code and last.startswith("evalworker: 10 events lost at exit: http://127.0.0.1:9 does not answer: ConnectionRefusedError"), said


def test_what_sigterm_loses_is_the_last_line():
    program = PUBLISH + "evalworker.flush_on_sigterm(0.3)\npublish('a', 10)\nprint('ready', flush=True)\nsignal.pause()"
    code, said = run(program, "http://127.0.0.1:9", signal.SIGTERM)
    assert code == -signal.SIGTERM and said.splitlines()[-1].startswith("evalworker: 10 events lost at exit: http://127.0.0.1:9 does not answer"), said


def test_an_end_that_loses_nothing_says_nothing(sidecar):
    assert run(PUBLISH + "publish('a', 10)", sidecar.url) == (0, "")


def test_a_sidecar_that_hangs_at_the_end():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        code, said = run(PUBLISH + f"evalworker.configure(evalworker.Publisher({url!r}, exit_timeout=0.2))\npublish('a', 3)", url)
    assert (code, said) == (0, f"evalworker: 3 events lost at exit: {url} has not answered in time\n")


def test_a_sidecar_that_never_answers():
    """The limits of flush and close hold, and publishing goes on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        publisher = Publisher(f"http://127.0.0.1:{listener.getsockname()[1]}", linger=0.0, max_events=5)
        connection, taken = [], threading.Event()

        def accept():
            connection.append(listener.accept()[0])
            connection[0].recv(1)
            taken.set()

        thread = threading.Thread(target=accept)
        thread.start()
        assert publisher.publish({"request_id": "first"})
        assert taken.wait(30)
        assert [publisher.publish({"request_id": str(i)}) for i in range(6)] == [True] * 4 + [False] * 2
        assert publisher.flush(0.05) is False and publisher.stats["waiting"] == 5
        assert publisher.close(0.05) is False
        assert publisher.publish({"request_id": "late"}) is False and publisher.close(60) is False and publisher.flush(60) is False
        assert publisher.stats["dropped"] == 2 + 4 + 1
        thread.join()
        connection[0].close()


def test_a_bound_in_bytes():
    publisher = Publisher("http://127.0.0.1:9", max_bytes=10_000)
    took = [publisher.publish({"request_id": str(i), "input": "x" * 3000}) for i in range(10)]
    assert took.count(True) == 3 and publisher.stats["dropped"] == 7
    publisher.close(0)


def test_a_retry_after_an_outage(sidecar):
    sidecar.answers += [(503, "application/json", b"{}"), (429, "application/json", b"{}")]
    publisher = Publisher(sidecar.url, linger=0.0)
    for i in range(10):
        publisher.publish({"request_id": str(i)})
    assert publisher.close(20)
    stats = publisher.stats
    assert (stats["accepted"], stats["retries"], stats["waiting"]) == (10, 2, 0) and "answers 429" in stats["last_error"]


def test_the_end_of_an_outage_is_logged(sidecar, caplog):
    caplog.set_level("INFO", logger="evalworker")
    publisher = Publisher(sidecar.url, linger=0.0)
    assert publisher.publish({"request_id": "before"}) and publisher.flush(20) and not caplog.records
    sidecar.answers += [(503, "application/json", b"{}")] * 2
    for i in range(2):  # the second outage is of the same minute, and neither its begin nor its end is logged
        assert publisher.publish({"request_id": str(i)}) and publisher.flush(20)
        sidecar.answers.append((503, "application/json", b"{}"))
    sidecar.answers.clear()
    assert publisher.close(20)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", f"evalworker: {sidecar.url} answers 503; 1 events wait"),
        ("INFO", f"evalworker: {sidecar.url} answers again; 1 events wait"),
    ]


def test_a_log_handler_that_raises_reaches_no_request(monkeypatch):
    import logging

    class Broken(logging.Handler):
        def emit(self, record):
            raise OSError("disk full")

    handler = Broken()
    logging.getLogger("evalworker").addHandler(handler)
    try:
        publisher = Publisher("http://127.0.0.1:9", max_events=1)
        assert [publisher.publish({"request_id": str(i)}) for i in range(3)] == [True, False, False]
        publisher.close(0)
    finally:
        logging.getLogger("evalworker").removeHandler(handler)


def test_what_the_package_says_of_itself():
    assert set(evalworker.__all__) <= set(dir(evalworker)) and evalworker.__version__.startswith("0.")
