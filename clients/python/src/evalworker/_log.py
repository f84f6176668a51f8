"""The log of this package: names, counts and classes of errors, never content."""

from __future__ import annotations

import logging
import os
import time
from difflib import get_close_matches
from typing import Dict, Iterable, Optional

log = logging.getLogger("evalworker")

_SECONDS = 60.0
_MOST_NAMES = 100


class Limited:
    """Logs warnings, at most one a minute, and says how many it kept back. What is about a
    name, such as that of a field, has a minute of its own."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begins anew, as in a forked child."""
        self._logged_at: Optional[float] = None
        self._kept_back = 0
        self._named: Dict[str, float] = {}  # when something was logged about a name

    def warn(self, text: str, about: str = "") -> bool:
        """Returns whether the text was logged."""
        now = time.monotonic()
        if about:
            at = self._named.get(about)
            if at is not None and now - at < _SECONDS:
                return False
            if len(self._named) >= _MOST_NAMES:
                self._named = {name: at for name, at in list(self._named.items()) if now - at < _SECONDS}
            if len(self._named) < _MOST_NAMES:  # else too many names at once share the one line a minute
                self._named[about] = now
                return self.always(logging.WARNING, text)
        if self._logged_at is not None and now - self._logged_at < _SECONDS:
            self._kept_back += 1
            return False
        more = f" (and {self._kept_back} warnings since the last one)" if self._kept_back else ""
        self._logged_at, self._kept_back = now, 0
        return self.always(logging.WARNING, text + more)

    def always(self, level: int, text: str) -> bool:
        """Logs outside of the limit, for what happens once."""
        try:
            log.log(level, "evalworker: %s", text)
        except Exception:  # a handler of the application that raises must not reach its requests
            pass
        return True


limited = Limited()  # one for the process: many publishers and requests make no more noise than one


def describe(error: BaseException) -> str:
    """Names an error by its class and the line that raised it. Its text may hold content."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    return f"{type(error).__name__} at {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns a question that names the known word that is most like another one, or nothing."""
    found = get_close_matches(word[:100].lower(), known, 1)
    return f" (did you mean {found[0]!r}?)" if found else ""
