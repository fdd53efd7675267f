"""Tags as an event of SQLAlchemy's engine adds them, doubled for psycopg as its commenters do. A row's note is the row of the
table in docs/contexts.md."""
from urllib.parse import quote

from sqlalchemy import Column, Integer, Text, create_engine, event, insert, text
from sqlalchemy.orm import Session, declarative_base

NOTE = "SQLAlchemy"
Base = declarative_base()


class Item(Base):
    __tablename__ = "item"
    id = Column(Integer, primary_key=True)
    note = Column(Text)


engine = create_engine("postgresql+psycopg2://", future=True)


@event.listens_for(engine, "before_cursor_execute", retval=True)
def add_tags(connection, cursor, statement, parameters, context, executemany):
    tags = {"controller": "todo", "route": "/customer's/:id"}
    comment = ",".join(f"{key}='{quote(value)}'" for key, value in sorted(tags.items())).replace("%", "%%")
    return f"{statement} /*{comment}*/", parameters


with Session(engine) as session:
    item = Item(note=NOTE)
    session.add_all([item, Item(note=NOTE), Item(note=NOTE)])
    session.flush()
    item.note = NOTE + " "
    session.flush()
    item.note = NOTE
    session.flush()
    session.execute(insert(Item).values(note=NOTE))
    session.execute(text("INSERT INTO item (note) VALUES (:note)"), {"note": NOTE})
    session.execute(text(f"INSERT INTO item (note) VALUES ('{NOTE}')"))
    session.connection().exec_driver_sql(f"INSERT INTO item (note) VALUES ('{NOTE}')")
    session.delete(item)
    session.commit()
