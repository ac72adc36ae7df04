"""Images of requests: fetched by their URLs, and checked, before the judge is asked."""
