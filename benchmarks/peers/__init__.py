"""The same work written for other engines."""
