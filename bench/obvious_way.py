"""The obvious way to push: a Dramatiq message per delivery, `requests.post`, and a row updated with the ORM.

Run as a module it is the worker, one process of 8 threads, that the benchmarks measure.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence

import dramatiq
import requests
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from sqlalchemy import Engine, Integer, Text, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from tests.servers.process import Startable

THREADS = 8
POLL_SECONDS = 0.05
READY = "ready"
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
    engine = _engine(database)
    broker = RabbitmqBroker(url=broker_url, confirm_delivery=True)

    def push(push_id: int) -> None:
        with Session(engine) as session:
            row = session.get_one(Push, push_id)
            answer = requests.post(row.url, data=BODY, headers={"webhook-id": str(push_id)}, timeout=15)
            row.state, row.status = "delivered", answer.status_code
            session.commit()

    return broker, dramatiq.actor(broker=broker, queue_name="obvious", actor_name="push")(push)


class ObviousWay(Startable):
    """Its worker as a process, running inside a `with` block, on a database and a virtual host of its own."""

    def __init__(self, database: str, broker_url: str) -> None:
        self._environment = os.environ | {"BENCH_DATABASE": database, "BENCH_BROKER": broker_url}
        self._engine = _engine(database)
        self._broker, self._actor = declare(database, broker_url)
        self._worker: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Make the table, and start the worker; returns once it takes messages."""
        Base.metadata.create_all(self._engine)
        command = [sys.executable, "-m", "bench.obvious_way"]
        self._worker = subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE, text=True)
        if not self._worker.stdout or self._worker.stdout.readline().strip() != READY:
            raise SystemExit("the obvious way did not start")

    def close(self) -> None:
        """End the worker."""
        if self._worker:
            self._worker.terminate()
            self._worker.communicate()
        self._broker.close()
        self._engine.dispose()

    def add(self, urls: Sequence[str]) -> list[int]:
        """Insert a row for each delivery; return their numbers."""
        with Session(self._engine) as session:
            rows = [Push(url=url) for url in urls]
            session.add_all(rows)
            session.flush()
            numbers = [row.id for row in rows]
            session.commit()
        return numbers

    def send(self, numbers: Sequence[int]) -> None:
        """Enqueue a message for each delivery."""
        for number in numbers:
            self._actor.send(number)

    def wait(self) -> None:
        """Wait until the last row is delivered."""
        while self._pending():
            time.sleep(POLL_SECONDS)

    def per_second(self, urls: Sequence[str]) -> float:
        """Return its deliveries per second, from the first message enqueued to the last row delivered."""
        numbers = self.add(urls)
        started = time.perf_counter()
        self.send(numbers)
        self.wait()
        return len(numbers) / (time.perf_counter() - started)

    def _pending(self) -> int:
        with Session(self._engine) as session:
            return session.execute(select(func.count()).where(Push.state == "pending")).scalar_one()


def _engine(database: str) -> Engine:
    return create_engine(database.replace("postgresql://", "postgresql+psycopg://"), pool_size=THREADS)


def main() -> None:
    """Work until ended."""
    broker, _actor = declare(os.environ["BENCH_DATABASE"], os.environ["BENCH_BROKER"])
    worker = dramatiq.Worker(broker, worker_threads=THREADS)
    worker.start()
    print(READY, flush=True)
    try:
        while True:
            time.sleep(3_600)
    finally:
        worker.stop()


if __name__ == "__main__":
    main()
