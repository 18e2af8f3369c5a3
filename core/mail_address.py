"""Mail addresses as people give them."""

from email_validator import EmailNotValidError, validate_email


def normalized(address: str) -> str:
    """Return an address in its usual spelling, without asking DNS; raises ValueError in people's words."""
    try:
        valid = validate_email(address, check_deliverability=False)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error
    if "=?" in valid.normalized:
        raise ValueError("an address may not look like an encoded word (RFC 2047)")
    return valid.normalized
