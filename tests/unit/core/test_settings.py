"""Settings from the environment and from files, and what is said of wrong ones."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from core.errors import ConfigurationError
from core.settings import DEFAULT_RETRY_SCHEDULE, Settings, load_settings

KEY = "k" * 32


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment, in which conftest leaves no CLARION_ variable."""
    return monkeypatch


def problem(environment: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        environment.setenv(f"CLARION_{name}", value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    return str(caught.value)


def revealed(settings: Settings, name: str) -> str | None:
    value = getattr(settings, name)
    return None if value is None else str(value.get_secret_value())


def test_everything_has_a_default() -> None:
    settings = load_settings()
    assert settings.retry_schedule == DEFAULT_RETRY_SCHEDULE
    assert (settings.database_url, settings.health_port, settings.egress_allow) == (None, None, ())
    assert settings.egress_ports is None
    assert (settings.database_scheme, settings.broker_scheme) == ("", "")


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("RETRY_SCHEDULE", "1, 20,300", (1, 20, 300)),
        ("RETRY_SCHEDULE", "", ()),
        (
            "EGRESS_ALLOW",
            "10.1.0.0/16, 127.0.0.1,fd00::/8",
            (ip_network("10.1.0.0/16"), ip_network("127.0.0.1/32"), ip_network("fd00::/8")),
        ),
        ("EGRESS_ALLOW", "", ()),
        ("EGRESS_PORTS", "80, 443", frozenset({80, 443})),
        ("EGRESS_PORTS", "", None),
        ("HOST_SPACING_SECONDS", "0.5", 0.5),
        ("SECRET_OVERLAP_SECONDS", "0", 0),
        ("HEALTH_PORT", "8080", 8080),
        ("HEALTH_PORT", "", None),
        ("PUBLIC_URL", "https://news.example.com/", "https://news.example.com"),
        ("PUBLIC_URL", "", None),
        ("MAIL_FROM", "Clarion <news@example.com>", "Clarion <news@example.com>"),
        ("CONTACT", "", None),
        ("LOG_FORMAT", "json", "json"),
        ("WORKER_THREADS", "8", 8),
        ("PARSER_PROCESSES", "3", 3),
    ],
)
def test_variables_are_read(
    environment: pytest.MonkeyPatch, variable: str, value: str, expected: object
) -> None:
    environment.setenv(f"CLARION_{variable}", value)
    assert getattr(load_settings(), variable.lower()) == expected


def test_a_blank_secret_is_none(environment: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "SECRET_KEY", "SMTP_URL", "DATABASE_URL", "BROKER_URL", "NEWSAPI_KEY"):
        environment.setenv(f"CLARION_{name}", "")
    settings = load_settings()
    assert (settings.api_key, settings.secret_key, settings.smtp_url, settings.database_url) == (None,) * 4


def test_what_the_program_sets_comes_before_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CLARION_BACKFILL", "3")
    assert load_settings().backfill == 3
    assert load_settings(backfill=4).backfill == 4


# --- files


def test_every_variable_may_be_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    values = {
        "API_KEY": "from a file",
        "RETRY_SCHEDULE": "1,2",
        "BACKFILL": "7",
        "EGRESS_ALLOW": "10.0.0.0/8",
    }
    for name, value in values.items():
        file = tmp_path / name
        file.write_text(value + "\n")
        environment.setenv(f"CLARION_{name}_FILE", str(file))
    settings = load_settings()
    assert revealed(settings, "api_key") == "from a file"
    assert (settings.retry_schedule, settings.backfill) == ((1, 2), 7)
    assert settings.egress_allow == (ip_network("10.0.0.0/8"),)


def test_a_variable_and_its_file_contradict_each_other(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = problem(environment, API_KEY="a", API_KEY_FILE=str(tmp_path / "key"))
    assert words == "CLARION_API_KEY and CLARION_API_KEY_FILE are both set: set one of them"


def test_a_file_that_is_not_there(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = problem(environment, API_KEY_FILE=str(tmp_path / "none"))
    assert words.startswith("CLARION_API_KEY_FILE: cannot read ")


def test_a_file_that_is_no_text(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe\x00")
    words = problem(environment, API_KEY_FILE=str(tmp_path / "key"))
    assert words.startswith("CLARION_API_KEY_FILE: cannot read ")


# --- what is wrong


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", "mysql://localhost/clarion"),
        ("DATABASE_URL", "/var/lib/clarion.db"),
        ("BROKER_URL", "redis://localhost"),
        ("BROKER_URL", "localhost:5672"),
        ("SMTP_URL", "mail.example.com"),
        ("SMTP_URL", "smtp://mail.example.com:port"),
        ("SMTP_URL", "smtp://mail.example.com:99999"),
        ("SMTP_URL", "smtp://mail.example.com:0"),
        ("SMTP_URL", "smtp://["),
        ("MAIL_REPLY_TO", "help@example.com, other@example.com"),
        ("MAIL_BOUNCES", "Bounces <bounces@example.com>"),
        ("MAIL_BOUNCES", "sixteen.letters.@example.com"),
        ("MAIL_BOUNCES", "sixteen-letters-@example.com"),
        ("MAIL_BOUNCES", "bounces@b\u00fccher.example"),
        ("PUBLIC_URL", "https://b\u00fccher.example"),
        ("PUBLIC_URL", "https://news.example.com/" + "x" * 500),
        ("CONTACT", "operator"),
        ("CONTACT", "Operator <operator@example.com>"),
        ("CONTACT", "operator@example.com, other@example.com"),
        ("CONTACT", "operator@example.com\r\nBcc: all@example.com"),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", f"{KEY},short"),
        ("SECRET_KEY", f"{KEY},"),
        ("PUBLIC_URL", "news.example.com"),
        ("PUBLIC_URL", "https://"),
        ("PUBLIC_URL", "https://["),
        ("EGRESS_ALLOW", "10.0.0.0/33"),
        ("EGRESS_ALLOW", "10.0.0.1/8"),
        ("EGRESS_ALLOW", "localhost"),
        ("EGRESS_PORTS", "https"),
        ("EGRESS_PORTS", "443,0"),
        ("EGRESS_PORTS", "65536"),
        ("EGRESS_PORTS", ","),
        ("RETRY_SCHEDULE", "5,soon"),
        ("RETRY_SCHEDULE", "0"),
        ("RETRY_SCHEDULE", "-5"),
        ("RETRY_SCHEDULE", str(31 * 86_400)),
        ("RETRY_SCHEDULE", ",".join(["1"] * 31)),
        ("HOST_SPACING_SECONDS", "-1"),
        ("HOST_SPACING_SECONDS", "nan"),
        ("LEASE_SECONDS", "0"),
        ("LEASE_SECONDS", "inf"),
        ("BACKFILL", "-1"),
        ("SECRET_OVERLAP_SECONDS", "-1"),
        ("SECRET_OVERLAP_SECONDS", "2592001"),
        ("BACKFILL", "many"),
        ("WORKER_THREADS", "0"),
        ("PARSER_PROCESSES", "0"),
        ("HEALTH_PORT", "65536"),
        ("HEALTH_PORT", "http"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "verbose"),
        ("MAIL_FROM", "Clarion"),
        ("MAIL_FROM", "Clarion <news@example.com>\nBcc: all@example.com"),
        ("MAIL_FROM", "news@example.com, more@example.com"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_its_variable(
    environment: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    environment.setenv("CLARION_MAIL_FROM", "news@example.com")
    words = problem(environment, **{variable: value})
    assert words.startswith(f"CLARION_{variable}: ")
    assert "\n" not in words


def test_all_that_is_wrong_is_said_at_once(environment: pytest.MonkeyPatch) -> None:
    words = problem(environment, BACKFILL="many", LOG_FORMAT="xml", SECRET_KEY="short")
    assert [line.partition(":")[0] for line in words.splitlines()] == [
        "CLARION_SECRET_KEY",
        "CLARION_BACKFILL",
        "CLARION_LOG_FORMAT",
    ]


@pytest.mark.parametrize("variable", ["DATABASE_URL", "BROKER_URL", "SMTP_URL", "SECRET_KEY"])
def test_secrets_are_never_part_of_what_is_said(environment: pytest.MonkeyPatch, variable: str) -> None:
    assert "swordfish" not in problem(environment, **{variable: "swordfish"})


def test_secrets_are_not_shown() -> None:
    settings = load_settings(api_key="swordfish", database_url="sqlite:///swordfish.db", secret_key=KEY)
    assert "swordfish" not in repr(settings)
    assert "swordfish" not in str(settings.model_dump())


# --- what must fit together


def test_postgresql_needs_a_secret_key(environment: pytest.MonkeyPatch) -> None:
    words = problem(environment, DATABASE_URL="postgresql://localhost/clarion")
    assert words.startswith("CLARION_SECRET_KEY: required with PostgreSQL")
    environment.setenv("CLARION_SECRET_KEY", KEY)
    assert load_settings().database_scheme == "postgresql"


def test_mail_needs_a_sender(environment: pytest.MonkeyPatch) -> None:
    words = problem(environment, SMTP_URL="smtp://mail.example.com")
    assert words.startswith("CLARION_MAIL_FROM: required with CLARION_SMTP_URL")


def test_a_contact_needs_a_mail_server(environment: pytest.MonkeyPatch) -> None:
    words = problem(environment, CONTACT="operator@Example.com")
    assert words.startswith("CLARION_SMTP_URL: required with CLARION_CONTACT")
    environment.setenv("CLARION_SMTP_URL", "smtp://mail.example.com")
    environment.setenv("CLARION_MAIL_FROM", "news@example.com")
    assert load_settings().contact == "operator@example.com"


@pytest.mark.parametrize(
    "url",
    [
        "smtp://mail.example.com",
        "smtp+starttls://user:p%40ss@mail.example.com:2525",
        "smtps://mail.example.com",
        "smtp://[::1]:25",
        "maildir:///var/mail/clarion",
    ],
)
def test_forms_of_mail_servers(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("CLARION_SMTP_URL", url)
    environment.setenv("CLARION_MAIL_FROM", "news@example.com")
    assert revealed(load_settings(), "smtp_url") == url


@pytest.mark.parametrize("left_out", ["DOMAIN", "SELECTOR", "KEY"])
def test_a_signature_needs_all_that_belongs_to_it(environment: pytest.MonkeyPatch, left_out: str) -> None:
    values = {"DOMAIN": "example.com", "SELECTOR": "s1", "KEY": "a key"}
    del values[left_out]
    words = problem(environment, **{f"DKIM_{name}": value for name, value in values.items()})
    assert words.startswith("CLARION_DKIM_DOMAIN, CLARION_DKIM_SELECTOR, CLARION_DKIM_KEY: needed all three")


def test_secret_keys_rotate() -> None:
    both = f"{KEY}, {'n' * 32}"
    assert revealed(load_settings(secret_key=both), "secret_key") == both


def test_settings_do_not_change() -> None:
    settings: Any = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.backfill = 3
