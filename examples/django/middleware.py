"""In settings.MIDDLEWARE: "middleware.evalworker_scope"."""

import hashlib

import evalworker


def evalworker_scope(get_response):
    def middleware(request):
        user = hashlib.sha256(request.headers.get("x-user", "").encode()).hexdigest()[:16]
        with evalworker.scope(session_id=request.headers.get("x-session"), user_id_hash=user):
            return get_response(request)

    return middleware
