"""The environment in which message templates are rendered."""

from importlib.resources import files

from jinja2 import FileSystemLoader, StrictUndefined, select_autoescape
from jinja2.sandbox import SandboxedEnvironment


def template_environment() -> SandboxedEnvironment:
    """Return a sandboxed environment over the packaged templates; HTML is escaped, text is not."""
    return SandboxedEnvironment(
        loader=FileSystemLoader(str(files("templates"))),
        autoescape=select_autoescape(enabled_extensions=("html", "xml"), default_for_string=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
