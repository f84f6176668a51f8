"""In settings.MIDDLEWARE: "middleware.evalworker_scope"."""

import evalworker


def evalworker_scope(get_response):
    def middleware(request):
        with evalworker.scope(session=request.headers.get("x-session"), user=request.headers.get("x-user")):
            return get_response(request)

    return middleware
