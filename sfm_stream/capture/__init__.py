"""The capture program: a connection, the files that it fills, and what guards both."""
