"""What is said of a query that cannot be read."""

from core.errors import ClarionError


class QueryError(ClarionError, ValueError):
    """A query is refused; `position` is the offset in it, from 0, where something else was expected."""

    def __init__(self, expected: str, position: int) -> None:
        super().__init__(f"expected {expected} at position {position}")
        self.expected = expected
        self.position = position

    def __reduce__(self) -> tuple[type["QueryError"], tuple[str, int]]:
        return type(self), (self.expected, self.position)
