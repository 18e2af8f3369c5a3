"""Transfers over TLS: whom they trust, and what they ask for."""

import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from core.egress import PushAnswer
from core.errors import Reason
from tests.certificates import Certificate, self_signed
from tests.receiver import Receiver
from tests.unit.core.loopback_servers import one_connection, speaks_no_tls
from tests.unit.core.pushes import TransferMaker, push


@dataclass(frozen=True)
class _Recording(Certificate):
    """A certificate that notes which names clients ask for."""

    names: list[str | None] = field(default_factory=list)

    def server_context(self) -> ssl.SSLContext:
        context = super().server_context()
        context.sni_callback = lambda sock, name, context: self.names.append(name)
        return context


def test_tls_asks_for_the_name_and_not_for_the_address(
    make_transfer: TransferMaker, certificate: Certificate
) -> None:
    recording = _Recording(certificate.certificate, certificate.key)
    with Receiver(recording) as receiver:
        url = f"https://localhost:{receiver.port}/"
        assert make_transfer(ca_file=certificate.certificate).perform(push(url)) == PushAnswer(200)
        assert receiver.requests[0].header("Host") == f"localhost:{receiver.port}"
    assert recording.names == ["localhost"]


def test_a_certificate_of_an_unknown_authority_is_refused(
    make_transfer: TransferMaker, tls_receiver: Receiver, tmp_path: Path
) -> None:
    for ca_file in (None, self_signed(tmp_path).certificate):
        answer = make_transfer(ca_file=ca_file).perform(push(tls_receiver.url))
        assert (answer.status, answer.reason) == (None, Reason.TLS)
        assert "certificate is not trusted" in (answer.detail or "")
    assert not tls_receiver.requests


def test_a_certificate_for_another_name_is_refused(
    make_transfer: TransferMaker, tls_receiver: Receiver, certificate: Certificate
) -> None:
    transfer = make_transfer(
        ca_file=certificate.certificate, resolve=(f"other.example:{tls_receiver.port}:127.0.0.1",)
    )
    answer = transfer.perform(push(f"https://other.example:{tls_receiver.port}/secret-path"))
    assert (answer.status, answer.reason) == (None, Reason.TLS)
    assert "secret-path" not in (answer.detail or "")
    assert not tls_receiver.requests


def test_tls_to_a_server_that_has_none(make_transfer: TransferMaker) -> None:
    with one_connection(speaks_no_tls) as port:
        answer = make_transfer().perform(push(f"https://127.0.0.1:{port}/"))
    assert (answer.status, answer.reason) == (None, Reason.TLS)


def test_a_reset_in_the_handshake_is_a_reset(make_transfer: TransferMaker) -> None:
    def reset(connection: socket.socket) -> None:
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with one_connection(reset) as port:
        answer = make_transfer().perform(push(f"https://127.0.0.1:{port}/"))
    assert (answer.status, answer.reason) == (None, Reason.RESET)
