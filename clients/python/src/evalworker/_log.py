"""The log of this package: names, counts and classes of errors, never content."""

from __future__ import annotations

import logging
import os
import time
from typing import Optional

log = logging.getLogger("evalworker")

_SECONDS = 60.0


class Limited:
    """Logs warnings, at most one a minute, and says how many it kept back."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begins anew, as in a forked child."""
        self._logged_at: Optional[float] = None
        self._kept_back = 0

    def warn(self, text: str) -> None:
        now = time.monotonic()
        if self._logged_at is not None and now - self._logged_at < _SECONDS:
            self._kept_back += 1
            return
        more = f" (and {self._kept_back} warnings since the last one)" if self._kept_back else ""
        self._logged_at, self._kept_back = now, 0
        try:
            log.warning("evalworker: %s%s", text, more)
        except Exception:  # a handler of the application that raises must not reach its requests
            pass


limited = Limited()  # one for the process: many publishers and requests make no more noise than one


def describe(error: BaseException) -> str:
    """Names an error by its class and the line that raised it. Its text may hold content."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    return f"{type(error).__name__} at {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
