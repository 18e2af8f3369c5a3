"""One module per kind of source; `core.registry` finds them."""
