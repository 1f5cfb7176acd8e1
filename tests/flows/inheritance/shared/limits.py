"""Numbers that decorators of other files use."""

RETRIES = 1 + 1
