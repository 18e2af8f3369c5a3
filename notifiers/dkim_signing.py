"""Signing mail with the installation's own DKIM key (RFC 6376), where no mail server does."""

from collections.abc import Callable

from core.errors import ConfigurationError

# RFC 8058 wants both headers of one-click unsubscribing covered.
SIGNED_HEADERS = (
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "reply-to",
    "mime-version",
    "content-type",
    "auto-submitted",
    "list-id",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "feedback-id",
)


def dkim_signer(domain: str, selector: str, private_key: str) -> Callable[[bytes], bytes]:
    """Return what signs mails for `selector._domainkey.domain` with an RSA key in PEM.

    Raises ConfigurationError without the extra `dkim`, or for a key that cannot sign.
    """
    try:
        import dkim
    except ImportError as error:
        raise ConfigurationError("CLARION_DKIM_KEY: needs the extra: pip install 'clarion[dkim]'") from error

    def sign(mail: bytes) -> bytes:
        present = {line.partition(b":")[0].lower() for line in mail.partition(b"\r\n\r\n")[0].split(b"\r\n")}
        covered = [name.encode() for name in SIGNED_HEADERS if name.encode() in present]
        signature: bytes = dkim.sign(
            mail,
            selector.encode(),
            domain.encode(),
            private_key.encode(),
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=covered,
        )
        return signature + mail

    try:
        sign(b"From: a@example.com\r\n\r\n\r\n")
    except Exception as error:
        raise ConfigurationError(f"CLARION_DKIM_KEY: cannot sign with it: {error}") from error
    return sign
