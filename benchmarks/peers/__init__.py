"""The same work in other engines."""
