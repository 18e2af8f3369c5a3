"""The one thing that setup.cfg cannot say: the compiled core of the matching index, built where it can be.

Without a C compiler, or Python's headers, everything is installed but the core, and the matching index is the
one in plain Python.
"""

from pathlib import Path

from setuptools import Extension, setup

CORE = Path("router", "index_core")

setup(
    ext_modules=[
        Extension(
            "router._index_core",
            sources=sorted(map(str, CORE.glob("*.c"))),
            depends=sorted(map(str, CORE.glob("*.h"))),
            extra_compile_args=["-O3", "-std=c11"],
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
