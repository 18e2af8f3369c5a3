"""The four roles: each starts its threads, and stops them in order."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

import structlog
from dramatiq import Broker
from flask import Flask

from api.server import Server, serve
from core.bus.ports import ArticleConsumer, Listener
from core.bus.tasks import TaskWorker, declare_delivery_actors
from core.errors import ConfigurationError, Unavailable
from fetcher.leadership import Leadership
from notifiers.delivery import DeliveryService
from router.service import Router

log = structlog.get_logger()

STOP_SECONDS = 8.0
RETRY_SECONDS = 1.0


class Role(Protocol):
    """A part of the program that runs until it is stopped."""

    name: str

    def start(self) -> None:
        """Begin; returns once it runs."""

    def stop(self) -> None:
        """End in order, within 8 seconds."""


class _Thread:
    """A thread that runs until an event is set; an error in it is logged and it is run again."""

    def __init__(self, name: str, run: Callable[[threading.Event], None]) -> None:
        self._run, self._stop = run, threading.Event()
        self._thread = threading.Thread(target=self._guarded, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def tell(self) -> None:
        self._stop.set()

    def stop(self) -> None:
        self.tell()
        self._thread.join(STOP_SECONDS)

    def _guarded(self) -> None:
        while not self._stop.is_set():
            try:
                self._run(self._stop)
            except Unavailable as error:
                log.warning("waiting for a server", thread=self._thread.name, problem=str(error))
            except Exception:
                log.exception("begun again after an error", thread=self._thread.name)
            self._stop.wait(RETRY_SECONDS)


class ApiRole:
    """Serves HTTP."""

    name = "api"

    def __init__(self, app: Flask, host: str, port: int) -> None:
        try:
            self._server: Server = serve(app, host, port)
        except OSError as error:
            raise ConfigurationError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._server.port

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def stop(self) -> None:
        """Answer what was asked, then stop."""
        self._server.stop()


class HealthRole(ApiRole):
    """Serves only the probes."""

    name = "health"


class FetcherRole:
    """Campaigns for the lease and, leading, fetches and sweeps."""

    name = "fetcher"

    def __init__(self, leadership: Leadership) -> None:
        self._thread = _Thread("leadership", leadership.run)

    def start(self) -> None:
        """Begin to campaign."""
        self._thread.start()

    def stop(self) -> None:
        """Give the lease back."""
        self._thread.stop()


class RouterRole:
    """Routes articles, and learns of changed subscriptions meanwhile."""

    name = "router"

    def __init__(self, router: Router, consumer: ArticleConsumer, listener: Listener) -> None:
        self._threads = (
            _Thread("subscriptions", lambda stop: listener.run(router.catch_up, stop)),
            _Thread("router", lambda stop: router.run(consumer, stop)),
        )

    def start(self) -> None:
        """Begin to load subscriptions, and to consume."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the article at hand."""
        for thread in self._threads:
            thread.tell()
        for thread in self._threads:
            thread.stop()


class WorkerRole:
    """Pushes deliveries."""

    name = "worker"

    def __init__(self, broker: Broker, service: DeliveryService, threads: int) -> None:
        declare_delivery_actors(broker, service.deliver)
        self._service, self._worker = service, TaskWorker(broker, threads, prefetch=threads)

    def start(self) -> None:
        """Begin to take batches."""
        self._service.start()
        self._worker.start()

    def stop(self) -> None:
        """Finish what is under way, and give the rest back."""
        until = time.monotonic() + STOP_SECONDS
        self._service.begin_to_stop()
        self._worker.stop(STOP_SECONDS / 4)
        self._service.close(until - time.monotonic() - 1.0)
