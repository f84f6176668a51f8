"""What ends and forks mean for the publishers of a process."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time
import weakref
from types import FrameType
from typing import TYPE_CHECKING, Optional

from ._log import limited

if TYPE_CHECKING:
    from ._publisher import Publisher

_publishers: "weakref.WeakSet[Publisher]" = weakref.WeakSet()


def watch(publisher: "Publisher") -> None:
    """Closes a publisher when the process ends, and lets it start over in a forked child."""
    _publishers.add(publisher)


def watch_process() -> None:
    """Does the same in a child of multiprocessing, which ends without the hooks of atexit."""
    process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, _at_exit, exitpriority=0)


def flush_on_sigterm(timeout: float = 5.0) -> None:
    """Sends what waits when the process is told to stop by SIGTERM, for up to `timeout` seconds,
    and then goes on as before: to the handler that was set, or to the end of the process.

    For programs without a server that stops them in order, such as workers of a queue. It is
    called in the main thread. gunicorn needs nothing; uvicorn wants `flush` in its lifespan."""
    before = signal.getsignal(signal.SIGTERM)

    def stop(number: int, frame: Optional[FrameType]) -> None:
        _flush_all(timeout)
        if callable(before):
            before(number, frame)
        elif before != signal.SIG_IGN:
            for publisher in list(_publishers):
                publisher.close_at_exit(0.0)  # which says what is lost
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, stop)


def _flush_all(timeout: float) -> None:
    end = time.monotonic() + timeout
    for publisher in list(_publishers):
        publisher.flush(max(0.0, end - time.monotonic()))


def _at_exit() -> None:
    for publisher in list(_publishers):
        publisher.close_at_exit()


def _after_fork() -> None:
    """The child has no thread, and what waits belongs to the parent."""
    limited.forget()
    for publisher in list(_publishers):
        publisher._start_over()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
