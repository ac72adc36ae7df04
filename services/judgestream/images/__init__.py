"""Image files: their headers checked, and their pictures decoded, within limits."""
