"""Settings: `CLARION_*` variables, each also as `CLARION_*_FILE`, checked together at start."""

import os
from email.policy import SMTP
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from core.errors import ConfigurationError
from core.mail_address import normalized

PREFIX = "CLARION_"
DEFAULT_RETRY_SCHEDULE = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
SECRET_KEY_LENGTH = 32
LONGEST_PUBLIC_URL = 500
LONGEST_BOUNCE_NAME = 15  # a local part has at most 64 characters (RFC 5321), and a token needs 49

Network = IPv4Network | IPv6Network


def _comma_separated(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _networks(value: object) -> object:
    return tuple(ip_network(part) for part in value) if isinstance(value, list) else value


def _blank_is_unset(value: object) -> object:
    return None if value == "" else value


Seconds = Annotated[int, Field(ge=1, le=30 * 86_400)]
Networks = Annotated[
    tuple[Network, ...], NoDecode, BeforeValidator(_networks), BeforeValidator(_comma_separated)
]
Schedule = Annotated[tuple[Seconds, ...], NoDecode, Field(max_length=30), BeforeValidator(_comma_separated)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Ports = Annotated[
    Annotated[frozenset[Port], Field(min_length=1)] | None,
    NoDecode,
    BeforeValidator(_comma_separated),
    BeforeValidator(_blank_is_unset),
]
OptionalText = Annotated[str | None, BeforeValidator(_blank_is_unset)]
OptionalSecret = Annotated[SecretStr | None, BeforeValidator(_blank_is_unset)]


class Settings(BaseSettings):
    """Every setting with its default; `docs/clarion.env` explains each."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, validate_default=True)

    database_url: OptionalSecret = None
    broker_url: OptionalSecret = None
    api_key: OptionalSecret = None
    secret_key: OptionalSecret = None
    public_url: OptionalText = None
    smtp_url: OptionalSecret = None
    mail_from: OptionalText = None
    mail_reply_to: OptionalText = None
    mail_bounces: OptionalText = None
    mail_ask_dns: bool = False
    dkim_domain: OptionalText = None
    dkim_selector: OptionalText = None
    dkim_key: OptionalSecret = None
    contact: OptionalText = None
    newsapi_key: OptionalSecret = None
    egress_allow: Networks = ()
    egress_ports: Ports = None
    retry_schedule: Schedule = DEFAULT_RETRY_SCHEDULE
    secret_overlap_seconds: Annotated[int, Field(ge=0, le=30 * 86_400)] = 86_400
    host_spacing_seconds: Annotated[float, Field(ge=0, le=3_600)] = 1.0
    poll_threads: Annotated[int, Field(ge=1, le=256)] = 32
    lease_seconds: Annotated[float, Field(ge=1, le=300)] = 6.0
    backfill: Annotated[int, Field(ge=0, le=500)] = 10
    parser_processes: Annotated[int, Field(ge=1, le=64)] = 2
    worker_threads: Annotated[int, Field(ge=1, le=64)] = 4
    worker_connections: Annotated[int, Field(ge=8, le=512)] = 256
    failing_days: Annotated[float, Field(gt=0, le=365)] = 5.0
    health_port: Annotated[int | None, Field(ge=0, le=65_535), BeforeValidator(_blank_is_unset)] = None
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value and any(len(key.strip()) < SECRET_KEY_LENGTH for key in value.get_secret_value().split(",")):
            raise ValueError(f"every key in it needs at least {SECRET_KEY_LENGTH} characters")
        return value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: SecretStr | None) -> SecretStr | None:
        return _with_scheme(value, {"sqlite", "postgresql"})

    @field_validator("broker_url")
    @classmethod
    def _known_broker(cls, value: SecretStr | None) -> SecretStr | None:
        return _with_scheme(value, {"memory", "amqp", "amqps"})

    @field_validator("smtp_url")
    @classmethod
    def _known_mail(cls, value: SecretStr | None) -> SecretStr | None:
        return _with_port(_with_scheme(value, {"smtp", "smtp+starttls", "smtps", "maildir"}))

    @field_validator("mail_from", "mail_reply_to")
    @classmethod
    def _one_address(cls, value: str | None) -> str | None:
        if value is not None:
            addresses = SMTP.header_factory("From", value).addresses
            if not value.isprintable() or len(addresses) != 1 or not addresses[0].domain:
                raise ValueError("must be one address, as in: Clarion <news@example.com>")
        return value

    @field_validator("mail_bounces")
    @classmethod
    def _room_for_a_token(cls, value: str | None) -> str | None:
        address = normalized(value) if value is not None else None
        if address is not None and not address.isascii():
            raise ValueError("must be written in ASCII")
        if address is not None and len(address.rpartition("@")[0]) > LONGEST_BOUNCE_NAME:
            raise ValueError(f"needs {LONGEST_BOUNCE_NAME} characters or fewer before its @: a token follows")
        return address

    @field_validator("contact")
    @classmethod
    def _bare_address(cls, value: str | None) -> str | None:
        return normalized(value) if value is not None else None

    @field_validator("public_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value and not (value.startswith(("http://", "https://")) and urlsplit(value).hostname):
            raise ValueError("must be an http:// or https:// URL")
        if value and not (value.isascii() and value.isprintable() and len(value) <= LONGEST_PUBLIC_URL):
            raise ValueError(
                f"needs {LONGEST_PUBLIC_URL} characters or fewer, of ASCII: mails hold it in a header"
            )
        return value.rstrip("/") if value else None

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.database_scheme == "postgresql" and not self.secret_key:
            raise ValueError(
                "CLARION_SECRET_KEY: required with PostgreSQL, the same in every process "
                f"({SECRET_KEY_LENGTH} characters or more)"
            )
        if self.smtp_url and not self.mail_from:
            raise ValueError("CLARION_MAIL_FROM: required with CLARION_SMTP_URL: the address mail comes from")
        dkim = (self.dkim_domain, self.dkim_selector, self.dkim_key)
        if any(dkim) and not all(dkim):
            raise ValueError(
                "CLARION_DKIM_DOMAIN, CLARION_DKIM_SELECTOR, CLARION_DKIM_KEY: needed all three, or none"
            )
        if self.contact and not self.smtp_url:
            raise ValueError("CLARION_SMTP_URL: required with CLARION_CONTACT, which is told by mail")
        return self

    @property
    def database_scheme(self) -> str:
        """`sqlite`, `postgresql`, or empty when unset."""
        return urlsplit(self.database_url.get_secret_value()).scheme if self.database_url else ""

    @property
    def broker_scheme(self) -> str:
        """`memory`, `amqp`, `amqps`, or empty when unset."""
        return urlsplit(self.broker_url.get_secret_value()).scheme if self.broker_url else ""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read what the code passes, then the environment, then the files that the environment names."""
        return init_settings, env_settings, _NamedFiles(settings_cls)


class _NamedFiles(PydanticBaseSettingsSource):
    """Values of `CLARION_X` from the file that `CLARION_X_FILE` names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = f"{PREFIX}{field_name.upper()}"
        path = os.environ.get(f"{variable}_FILE")
        if path is None:
            return None, field_name, False
        if variable in os.environ:
            raise ConfigurationError(f"{variable} and {variable}_FILE are both set: set one of them")
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{variable}_FILE: cannot read {path}: {error}") from error

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in Settings.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


def _with_scheme(value: SecretStr | None, schemes: set[str]) -> SecretStr | None:
    if value and urlsplit(value.get_secret_value()).scheme not in schemes:
        raise ValueError("must start with " + " or ".join(f"{scheme}:" for scheme in sorted(schemes)))
    return value


def _with_port(value: SecretStr | None) -> SecretStr | None:
    try:
        port = urlsplit(value.get_secret_value()).port if value else None
    except ValueError:
        port = 0  # what urlsplit says of it may hold a part of the password
    if port == 0:
        raise ValueError("the port must be a number from 1 to 65535")
    return value


def load_settings(**overrides: Any) -> Settings:
    """Read the environment, `overrides` first, and check all settings.

    Raises ConfigurationError with one line per wrong variable, naming it.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise ConfigurationError("\n".join(_problem(item) for item in error.errors())) from None


def _problem(item: Any) -> str:
    message = str(item["msg"]).removeprefix("Value error, ")
    if not item["loc"]:
        return message
    return f"{PREFIX}{str(item['loc'][0]).upper()}: {message}"
