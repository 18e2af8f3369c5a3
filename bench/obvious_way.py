"""The obvious way to push: a Dramatiq message per delivery, `requests.post`, and a row updated with the ORM.

Run as a module it is the worker, one process of 8 threads, that the benchmark measures.
"""

import json
import os
import subprocess
import sys
import time

import dramatiq
import requests
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from sqlalchemy import Integer, Text, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

THREADS = 8
BODY = json.dumps({"type": "article.published", "data": {"article": {"title": "News", "summary": "x" * 600}}})


class Base(DeclarativeBase):
    """Base of its table."""


class Push(Base):
    """A delivery as everybody would model it."""

    __tablename__ = "pushes"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, default="pending")
    status: Mapped[int | None] = mapped_column(Integer)


def declare(database: str, broker_url: str) -> tuple[dramatiq.Broker, "dramatiq.Actor[[int], None]"]:
    """Return the broker and the actor that makes one delivery."""
    engine = create_engine(database.replace("postgresql://", "postgresql+psycopg://"), pool_size=THREADS)
    broker = RabbitmqBroker(url=broker_url, confirm_delivery=True)

    def push(push_id: int) -> None:
        with Session(engine) as session:
            row = session.get_one(Push, push_id)
            answer = requests.post(row.url, data=BODY, headers={"webhook-id": str(push_id)}, timeout=15)
            row.state, row.status = "delivered", answer.status_code
            session.commit()

    return broker, dramatiq.actor(broker=broker, queue_name="obvious", actor_name="push")(push)


def obvious_way(database: str, broker_url: str, sink_url: str, count: int) -> float:
    """Return its deliveries per second, from the first message enqueued to the last row delivered."""
    engine = create_engine(database.replace("postgresql://", "postgresql+psycopg://"))
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(Push(id=number, url=f"{sink_url}/obvious/{number}") for number in range(count))
        session.commit()
    command = [sys.executable, "-m", "bench.obvious_way"]
    environment = os.environ | {"BENCH_DATABASE": database, "BENCH_BROKER": broker_url}
    broker, actor = declare(database, broker_url)
    with subprocess.Popen(command, env=environment) as worker:
        try:
            time.sleep(4)
            started = time.perf_counter()
            for number in range(count):
                actor.send(number)
            while _pending(engine):
                time.sleep(0.05)
            return count / (time.perf_counter() - started)
        finally:
            worker.terminate()
            broker.close()
            engine.dispose()


def _pending(engine: object) -> int:
    with Session(engine) as session:  # type: ignore[arg-type]
        return session.execute(select(func.count()).where(Push.state == "pending")).scalar_one()


def main() -> None:
    """Work until ended."""
    broker, _actor = declare(os.environ["BENCH_DATABASE"], os.environ["BENCH_BROKER"])
    worker = dramatiq.Worker(broker, worker_threads=THREADS)
    worker.start()
    try:
        while True:
            time.sleep(3_600)
    finally:
        worker.stop()


if __name__ == "__main__":
    main()
