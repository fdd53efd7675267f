"""Tags as Django's commenters add them: a wrapper of statements, after the example of google-cloud-sqlcommenter 2.0. Since
psycopg takes a percent sign for a placeholder, they double it, and where there are no parameters, nobody halves it.
A row's note is the row of the table in docs/contexts.md; behind a colon, what else is being tried."""
import os
from urllib.parse import quote

import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"]}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()

from django.db import connection, models, transaction  # noqa: E402

NOTE = "Django"


class Item(models.Model):
    note = models.TextField()

    class Meta:
        app_label = "app"
        db_table = "item"


def wrapper(execute, sql, params, many, context):
    tags = {"controller": "todo", "framework": "django", "route": "^customer's/$"}
    comment = ",".join(f"{key}='{quote(value)}'" for key, value in sorted(tags.items())).replace("%", "%%")
    return execute(f"{sql} /*{comment}*/", params, many, context)


with connection.execute_wrapper(wrapper), connection.cursor() as cursor:
    item = Item.objects.create(note=NOTE)
    Item.objects.bulk_create([Item(note=NOTE), Item(note=NOTE)])
    item.save()
    Item.objects.filter(pk=item.pk).update(note=NOTE)
    with transaction.atomic():
        Item.objects.create(note=NOTE)
    cursor.executemany("INSERT INTO item (note) VALUES (%s)", [[NOTE], [NOTE]])
    cursor.execute(f"INSERT INTO item (note) VALUES ('{NOTE}: no parameters')")
    item.delete()
