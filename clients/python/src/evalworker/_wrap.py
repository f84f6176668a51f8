"""Wraps clients of OpenAI's and Anthropic's libraries in place."""

from __future__ import annotations

import functools
import inspect
import weakref
from typing import Any, AsyncIterator, Callable, Dict, Iterator, Optional, TypeVar
from urllib.parse import urlsplit

from ._answers import ChatPieces, MessagePieces, ResponsePieces, record_answer
from ._call import Call, _making, contained, known_fields, making
from ._event import check_fields, event_fields

T = TypeVar("T")

# Where the methods are, and how their streams are put together. What a client does not have is left out.
_RESOURCES = (
    ("chat.completions", ChatPieces),
    ("completions", ChatPieces),
    ("responses", ResponsePieces),
    ("messages", MessagePieces),
    ("beta.messages", MessagePieces),
)
_METHODS = ("create", "parse", "stream")

_INPUTS = ("messages", "input", "system", "instructions", "prompt")


def wrap(client: T, **fields: Any) -> T:
    """Lets a client publish every request that it makes, and returns it.

    client = evalworker.wrap(OpenAI(), feature="support", prompt_name="triage", prompt_version="v3")

    Clients: OpenAI, AsyncOpenAI, AzureOpenAI and their like, Anthropic, AsyncAnthropic.
    Fields hold for all requests of the client; `scope` and the argument
    `evalworker={...}` of a single request go before them. Answers, exceptions and
    streams are those of the library; what cannot be published is logged, never raised.
    """
    check_fields(fields)
    fields = event_fields(fields)
    wrapped = 0
    for path, pieces in _RESOURCES:
        resource: Any = client
        if path == "beta.messages" and not hasattr(client, "messages"):
            continue  # OpenAI's beta takes half a second to load, and has none of them
        for part in path.split("."):
            resource = getattr(resource, part, None)
        for name in _METHODS:
            method = getattr(resource, name, None)
            if not callable(method):
                continue
            wrapped += 1
            if not hasattr(method, "_evalworker"):
                setattr(resource, name, _wrap_method(name, method, pieces, fields, _provider(client)))
    if not wrapped:
        raise TypeError(
            f"evalworker: {type(client).__name__} is no client that wrap knows: OpenAI, AsyncOpenAI, Anthropic, AsyncAnthropic; "
            "use evalworker.observe() for others"
        )
    _count_retries(client)
    for name in ("with_options", "copy"):
        again = getattr(client, name, None)
        if callable(again) and not hasattr(again, "_evalworker"):
            setattr(client, name, _wrap_copy(again, fields))
    return client


def _wrap_copy(copy: Callable[..., Any], fields: Dict[str, Any]) -> Callable[..., Any]:
    @functools.wraps(copy)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return wrap(copy(*args, **kwargs), **fields)

    wrapped._evalworker = True  # type: ignore[attr-defined]
    return wrapped


def _wrap_method(name: str, method: Callable[..., Any], pieces: Callable[[], Any], fields: Dict[str, Any], provider: str) -> Callable[..., Any]:
    def begin(kwargs: Dict[str, Any]) -> Optional[Call]:
        own = kwargs.pop("evalworker", None)
        if _making.get() is not None:  # a method of the library that calls another one of it
            return None
        try:
            call = Call(known_fields(own), {"provider": provider, **fields})
            if _given(kwargs.get("model")):
                call.event.setdefault("model", kwargs["model"])
            asked = {name: kwargs[name] for name in _INPUTS if _given(kwargs.get(name))}
            call.keep("input", asked["messages"] if list(asked) == ["messages"] else asked)
            if _given(kwargs.get("tools")):
                call.keep("tools", kwargs["tools"])
            if kwargs.get("stream") is True or name == "stream":
                call.event["streaming"] = True
            return call
        except Exception as error:
            contained("a request is not published", error)
            return None

    def end(call: Call, answer: Any) -> Any:
        try:
            if hasattr(type(answer), "model_dump"):  # the usual case, which need not be asked what else it may be
                record_answer(call, answer)
                call.finish()
                return answer
            request = next((name for name in vars(answer) if name.endswith("__api_request")), None) if hasattr(answer, "__dict__") else None
            if request is not None:  # a manager, whose stream begins with `with`
                _wrap_manager(call, answer, request, pieces)
                return answer
            if hasattr(answer, "_iterator") or hasattr(answer, "__stream__"):
                return _record_stream(call, answer, pieces())
            if hasattr(answer, "http_response") and hasattr(answer, "iter_bytes"):  # with_streaming_response
                _watch_response(call, answer, pieces)
                return answer
            parse = getattr(answer, "parse", None)
            if callable(parse) and hasattr(answer, "http_response"):  # with_raw_response
                answer_body = parse()
                if hasattr(answer_body, "_iterator"):
                    _record_stream(call, answer_body, pieces())
                    return answer
                record_answer(call, answer_body)
            else:
                record_answer(call, answer)
            call.finish()
        except Exception as error:
            contained("a request is not published", error)
        return answer

    async def later(call: Call, pending: Any) -> Any:
        with making(call):
            answer = await pending
        return end(call, answer)

    @functools.wraps(method)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        call = begin(kwargs)
        if call is None:
            return method(*args, **kwargs)
        with making(call):
            answer = method(*args, **kwargs)
        # The methods of asynchronous clients return a coroutine and are none themselves.
        return later(call, answer) if inspect.isawaitable(answer) else end(call, answer)

    wrapped._evalworker = True  # type: ignore[attr-defined]
    return wrapped


def _record_stream(call: Call, stream: Any, pieces: Any) -> Any:
    """Looks at the pieces of a stream as the application takes them. The stream keeps its type.
    One that is left early is published as far as it came."""
    inner = stream._iterator

    def saw(piece: Any) -> None:
        try:
            if pieces.add(piece):
                call.first_token()
        except Exception as error:
            contained("a piece of a stream is left out", error)

    def done(error: Optional[BaseException]) -> None:
        if call.done:
            return
        try:
            answer = pieces.answer()
            if answer is not None:
                record_answer(call, answer)
            call.finish(error)
        except Exception as problem:
            contained("a request is not published", problem)

    if hasattr(inner, "__anext__"):

        async def watch_async() -> AsyncIterator[Any]:
            error: Optional[BaseException] = None
            try:
                async for piece in inner:
                    saw(piece)
                    yield piece
            except BaseException as problem:
                error = problem
                raise
            finally:
                done(error)

        stream._iterator = watch_async()
    else:

        def watch() -> Iterator[Any]:
            error: Optional[BaseException] = None
            try:
                for piece in inner:
                    saw(piece)
                    yield piece
            except BaseException as problem:
                error = problem
                raise
            finally:
                done(error)

        stream._iterator = watch()
    # A generator that was never asked for a piece does not learn that it is left.
    weakref.finalize(stream, done, GeneratorExit())
    return stream


def _watch_response(call: Call, response: Any, pieces: Callable[[], Any]) -> None:
    """Looks at the answer when the application has it parsed; what the application reads
    itself stays unseen, and the request is published when the response is closed."""
    parse, close = response.parse, response.close
    streams = []

    def saw(body: Any) -> Any:
        try:
            if hasattr(body, "_iterator"):
                streams.append(True)
                _record_stream(call, body, pieces())
            else:
                record_answer(call, body)
                call.finish()
        except Exception as error:
            contained("a request is not published", error)
        return body

    def closed() -> None:
        if not streams:  # else the stream says how it ended
            call.finish()

    if inspect.iscoroutinefunction(parse):

        async def parse_async(*args: Any, **kwargs: Any) -> Any:
            return saw(await parse(*args, **kwargs))

        async def close_async() -> None:
            try:
                await close()
            finally:
                closed()

        response.parse, response.close = parse_async, close_async
    else:

        def parse_now(*args: Any, **kwargs: Any) -> Any:
            return saw(parse(*args, **kwargs))

        def close_now() -> None:
            try:
                close()
            finally:
                closed()

        response.parse, response.close = parse_now, close_now


def _wrap_manager(call: Call, manager: Any, name: str, pieces: Callable[[], Any]) -> None:
    request = getattr(manager, name)

    def begun(stream: Any) -> Any:
        try:
            return _record_stream(call, stream, pieces())
        except Exception as error:
            contained("a request is not published", error)
            return stream

    if inspect.isawaitable(request):

        async def later() -> Any:
            with making(call):
                stream = await request
            return begun(stream)

        setattr(manager, name, later())
    else:

        def now() -> Any:
            with making(call):
                stream = request()
            return begun(stream)

        setattr(manager, name, now)


def _given(value: Any) -> bool:
    return value is not None and type(value).__name__ not in ("NotGiven", "Omit")


def _provider(client: Any) -> str:
    """Returns the name of the API that a library speaks, wherever its server is: `provider` as a
    field says who answers. A class of the application's own counts as that of the library."""
    kinds = " ".join(kind.__name__ for kind in type(client).__mro__).lower()
    if (urlsplit(str(getattr(client, "base_url", ""))).hostname or "").endswith(".azure.com"):
        return "azure"
    for name in ("azure", "bedrock", "vertex", "openai", "anthropic"):
        if name in kinds:
            return name
    return type(client).__name__.lower()


def _count_retries(client: Any) -> None:
    """Counts the attempts of a request: the libraries say in a header which one it is."""
    hooks = getattr(getattr(client, "_client", None), "event_hooks", None)
    if not isinstance(hooks, dict) or not isinstance(hooks.get("request"), list):
        return
    if any(getattr(hook, "_evalworker", False) for hook in hooks["request"]):
        return

    def count(request: Any) -> None:
        call = _making.get()
        try:
            if call is not None:
                call.retries = int(request.headers.get("x-stainless-retry-count", 0))
        except (TypeError, ValueError):
            pass

    async def count_async(request: Any) -> None:
        count(request)

    hook: Any = count_async if "Async" in type(client).__name__ else count
    hook._evalworker = True
    hooks["request"].append(hook)
