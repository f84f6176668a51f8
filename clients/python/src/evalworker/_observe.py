"""`observe`: for the requests that no wrapper sees, as a context manager and as a decorator."""

from __future__ import annotations

import contextvars
import functools
import inspect
from contextlib import contextmanager
from types import TracebackType
from typing import Any, AsyncGenerator, Callable, Dict, Generator, Iterator, List, Optional, Type, TypeVar, Union, cast, overload

from ._call import Call, known_fields, reset, unpublished
from ._event import CALL_FIELDS, check_fields

F = TypeVar("F", bound=Callable[..., Any])

_current: "contextvars.ContextVar[Optional[Call]]" = contextvars.ContextVar("evalworker_call", default=None)
_MOST_PIECES = 100_000  # of a generator; then the event goes without content


class Observation:
    """What `observe` returns: used once in `with` or `async with`, or as a decorator."""

    def __init__(self, fields: Dict[str, Any], capture_input: bool, capture_output: bool) -> None:
        self._fields = fields
        self._capture_input, self._capture_output = capture_input, capture_output
        self._call: Optional[Call] = None
        self._token: Optional["contextvars.Token[Optional[Call]]"] = None

    def __enter__(self) -> Call:
        self._call = _begin(self._fields)
        self._token = _current.set(self._call)
        return self._call

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        if self._token is not None:
            reset(_current, self._token)
        if self._call is not None:
            self._call.finish(error)

    async def __aenter__(self) -> Call:
        return self.__enter__()

    async def __aexit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: F) -> F:
        check_fields(self._fields, CALL_FIELDS)
        kind = _watch
        if inspect.iscoroutinefunction(function):
            kind = _watch_coroutine
        elif inspect.isasyncgenfunction(function):
            kind = _watch_async_generator
        elif inspect.isgeneratorfunction(function):
            kind = _watch_generator
        signature = _signature(function) if self._capture_input and "input" not in self._fields else None

        def begin(args: Any, kwargs: Any) -> Call:
            call = _begin(self._fields)
            if signature is not None:
                call.keep("input", _arguments(signature, args, kwargs))
            return call

        def end(call: Call, result: Any, error: Optional[BaseException] = None) -> None:
            if self._capture_output and result is not None:
                call.event.setdefault("output", result)
            call.finish(error)

        watched = functools.wraps(function)(kind(function, begin, end))
        return cast(F, watched)


@overload
def observe(function: F, /) -> F: ...
@overload
def observe(*, capture_input: bool = True, capture_output: bool = True, **fields: Any) -> Observation: ...
def observe(function: Optional[F] = None, /, *, capture_input: bool = True, capture_output: bool = True, **fields: Any) -> Union[F, Observation]:
    """Publishes a request that no wrapper sees. As a context manager:

    with evalworker.observe(prompt_name="triage", input=question) as call:
        call.output = my_model(question)

    As a decorator of a function, a coroutine, a generator or an asynchronous one, whose
    arguments are the input and whose result, or the list of its pieces, is the output;
    texts are joined. What it raises is the error. `current_call()` inside is the request.

    @evalworker.observe(prompt_name="triage")
    def ask(question): ...
    """
    observation = Observation(fields, capture_input, capture_output)
    return observation if function is None else observation(function)


def current_call() -> Call:
    """Returns the request of the `observe` around this code, to set its fields. Outside of one
    it is a request that is never published."""
    return _current.get() or unpublished()


def _begin(fields: Dict[str, Any]) -> Call:
    known = known_fields(fields, CALL_FIELDS)
    asked = known.pop("input", None)
    call = Call(known)
    if asked is not None:
        call.keep("input", asked)
    return call


@contextmanager
def _inside(call: Call) -> Iterator[None]:
    """Makes a request the current one."""
    token = _current.set(call)
    try:
        yield
    finally:
        reset(_current, token)


def _signature(function: Callable[..., Any]) -> Optional[inspect.Signature]:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # some functions of C have none
        return None


def _arguments(signature: inspect.Signature, args: Any, kwargs: Any) -> Any:
    """Returns the arguments by their names, without self, or the only one as it is."""
    try:
        named = dict(signature.bind(*args, **kwargs).arguments)
    except TypeError:  # the function itself will say so
        named = {"args": list(args), **kwargs}
    if next(iter(named), "") in ("self", "cls"):
        named.pop(next(iter(named)))
    return next(iter(named.values())) if len(named) == 1 else named


Begin = Callable[[Any, Any], Call]
End = Callable[..., None]


def _watch(function: Callable[..., Any], begin: Begin, end: End) -> Callable[..., Any]:
    def watched(*args: Any, **kwargs: Any) -> Any:
        call = begin(args, kwargs)
        try:
            with _inside(call):
                result = function(*args, **kwargs)
        except BaseException as error:
            end(call, None, error)
            raise
        # A function that is none of the special kinds may still return what they do.
        for is_kind, watch in _KINDS:
            if is_kind(result):
                return watch(lambda: result, lambda *_: call, end)()
        end(call, result)
        return result

    return watched


def _watch_coroutine(function: Callable[..., Any], begin: Begin, end: End) -> Callable[..., Any]:
    async def watched(*args: Any, **kwargs: Any) -> Any:
        call = begin(args, kwargs)
        try:
            with _inside(call):
                result = await function(*args, **kwargs)
        except BaseException as error:
            end(call, None, error)
            raise
        end(call, result)
        return result

    return watched


class _Pieces:
    """What a generator has given so far."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._pieces: List[Any] = []
        call.event["streaming"] = True

    def add(self, piece: Any) -> None:
        if not (piece is None or isinstance(piece, str) and not piece):
            self._call.first_token()
        if len(self._pieces) < _MOST_PIECES:
            self._pieces.append(piece)
        else:
            self._call.withhold()

    def output(self) -> Any:
        if self._pieces and all(isinstance(piece, str) for piece in self._pieces):
            return "".join(self._pieces)
        return self._pieces


# A generator is run piece by piece, and only its steps are inside the request: between them
# runs other code of the same thread.


def _watch_generator(function: Callable[..., Any], begin: Begin, end: End) -> Callable[..., Any]:
    def watched(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        call = begin(args, kwargs)
        pieces = _Pieces(call)
        try:
            inner = function(*args, **kwargs)
            step = functools.partial(inner.send, None)
            while True:
                try:
                    with _inside(call):
                        piece = step()
                except StopIteration as stop:
                    result = stop.value
                    break
                pieces.add(piece)
                try:
                    step = functools.partial(inner.send, (yield piece))
                except GeneratorExit:
                    inner.close()
                    raise
                except BaseException as thrown:
                    step = functools.partial(inner.throw, thrown)
        except BaseException as error:
            end(call, pieces.output(), error)
            raise
        end(call, pieces.output())
        return result

    return watched


def _watch_async_generator(function: Callable[..., Any], begin: Begin, end: End) -> Callable[..., Any]:
    async def watched(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        call = begin(args, kwargs)
        pieces = _Pieces(call)
        try:
            inner = function(*args, **kwargs)
            step = functools.partial(inner.asend, None)
            while True:
                try:
                    with _inside(call):
                        piece = await step()
                except StopAsyncIteration:
                    break
                pieces.add(piece)
                try:
                    step = functools.partial(inner.asend, (yield piece))
                except GeneratorExit:
                    await inner.aclose()
                    raise
                except BaseException as thrown:
                    step = functools.partial(inner.athrow, thrown)
        except BaseException as error:
            end(call, pieces.output(), error)
            raise
        end(call, pieces.output())

    return watched


_KINDS: Any = ((inspect.iscoroutine, _watch_coroutine), (inspect.isgenerator, _watch_generator), (inspect.isasyncgen, _watch_async_generator))
