"""One module per kind of channel; `core.registry` finds them."""
