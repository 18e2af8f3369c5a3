"""Mail addresses as people give them, and as servers take them."""

import idna
from email_validator import EmailNotValidError, validate_email

DNS_SECONDS = 5


def normalized(address: str, *, ask_dns: bool = False) -> str:
    """Return an address in its usual spelling; raises ValueError in people's words.

    With `ask_dns` its domain must take mail, as far as DNS answers within 5 seconds.
    """
    try:
        valid = validate_email(address, check_deliverability=ask_dns, timeout=DNS_SECONDS)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error
    if "=?" in valid.normalized:
        raise ValueError("an address may not look like an encoded word (RFC 2047)")
    return valid.normalized


def wire_form(address: str) -> str:
    """Return a normalized address as mail servers of any age take it, as far as that is possible.

    A domain is written in ASCII (IDNA 2008); a local part beyond ASCII has no other form (RFC 6531).
    """
    local, _, domain = address.rpartition("@")
    return address if address.isascii() or not local.isascii() else f"{local}@{_ascii(domain)}"


def _ascii(domain: str) -> str:
    return idna.encode(domain, uts46=True).decode("ascii")
