# Sessions and connections of SQLAlchemy with the page's events, in eight threads over five connections.
import os
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy
from audit_context import current
from sqlalchemy import Column, Integer, Text, delete, insert, text, update
from sqlalchemy.orm import Session, declarative_base

engine = sqlalchemy.create_engine(f"postgresql+psycopg2:///{os.environ['PGDATABASE']}", future=True)
Base = declarative_base()


class Item(Base):
    __tablename__ = "item"
    id = Column(Integer, primary_key=True)
    note = Column(Text)


def work(i):
    def note(what):
        return f"{what} {i}"

    def context(what):
        current.set({"by": what})
        return what

    with Session(engine) as session, session.begin():
        session.add(Item(note=context(note("add"))))
        session.flush()
        session.execute(insert(Item), [{"note": note("add")}, {"note": note("add")}])
        session.add(Item(note=context(note("another"))))
    with Session(engine) as session, session.begin():  # its first write is rolled back
        session.execute(text("SELECT 1"))
        context(note("after savepoint"))
        nested = session.begin_nested()
        session.add(Item(note="rolled back"))
        session.flush()
        context(note("not sent"))
        nested.rollback()
        context(note("after savepoint"))
        session.add(Item(note=note("after savepoint")))
    with engine.begin() as connection:
        connection.execute(update(Item).where(Item.note == note("another")), {"note": context(note("changed"))})
        context("delete" + note("changed"))
        connection.execute(delete(Item).where(Item.note == note("changed")))
    with Session(engine) as session:
        session.add(Item(note="rolled back"))
        session.flush()
        session.rollback()
        session.add(Item(note=context(note("after rollback"))))
        session.commit()
    current.set(None)
    with Session(engine) as session, session.begin():
        session.add(Item(note="none"))


with ThreadPoolExecutor(8) as pool:
    list(pool.map(work, range(20)))
