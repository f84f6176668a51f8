"""Django in one module, for this example: gunicorn --workers 2 wsgi:application"""

from django.conf import settings

settings.configure(ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF="wsgi", MIDDLEWARE=["middleware.evalworker_scope"])

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path  # noqa: E402

import views  # noqa: E402

urlpatterns = [path("ask", views.ask)]
application = get_wsgi_application()
