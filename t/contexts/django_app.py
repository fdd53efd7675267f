# Requests to a Django app with the page's middleware, from eight threads; argument: "atomic" for ATOMIC_REQUESTS.
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import django
from django.conf import settings


def authenticate(get_response):
    def respond(request):
        request.user = SimpleNamespace(pk=7)
        return get_response(request)

    return respond


settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"],
                           "ATOMIC_REQUESTS": sys.argv[1] == "atomic"}},
    MIDDLEWARE=[__name__ + ".authenticate", "audit_context.middleware"], ROOT_URLCONF=__name__, SECRET_KEY="x",
    ALLOWED_HOSTS=["*"], DEFAULT_AUTO_FIELD="django.db.models.AutoField")
django.setup()

from django.db import connection, models, transaction  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import re_path  # noqa: E402

from audit_context import carry  # noqa: E402


class Item(models.Model):
    note = models.TextField()

    class Meta:
        app_label = "items"
        db_table = "item"


def add(request):
    Item.objects.create(note=request.path)
    Item.objects.count()


def bulk(request):
    Item.objects.bulk_create([Item(note=request.path) for _ in range(3)])


def nested(request):
    with transaction.atomic():
        try:
            with transaction.atomic():
                Item.objects.create(note="rolled back")
                raise ValueError
        except ValueError:
            Item.objects.create(note=request.path)


def raw(request):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO item (note) VALUES (%s)", [request.path])
        cursor.executemany("INSERT INTO item (note) VALUES (%s)", [[request.path], [request.path]])


def change(request):
    Item.objects.filter(note=request.path.replace("/change", "/add")).update(note=request.path)


def delete(request):
    Item.objects.get(note=request.path.replace("/delete", "", 1)).delete()


def view(function):
    def respond(request, **_):
        function(request)
        return HttpResponse("")

    return respond


urlpatterns = [re_path("^" + function.__name__ + "/", view(function))
               for function in (add, bulk, nested, raw, change, delete)]


def post(path):
    assert Client().post(path).status_code == 200, path


def close():
    connection.close()


with ThreadPoolExecutor(8) as pool:
    list(pool.map(post, [f"/{name}/{i}" for i in range(10) for name in ("add", "bulk", "nested", "raw")]))
    list(pool.map(post, [f"/change/{i}" for i in range(5)] + [f"/delete/add/{i}" for i in range(5, 10)]))

with connection.execute_wrapper(carry({"by": "a command"})):
    Item.objects.create(note="a command")
Item.objects.create(note="none")
