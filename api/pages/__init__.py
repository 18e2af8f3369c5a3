"""Pages for people, most of whom have no key."""
