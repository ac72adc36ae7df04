"""Chat-completions endpoints: one prompt is one request, and its score distribution is read from the reply.

The exchange, retries and pauses are our own, with httpx, and not the `openai` SDK's: the SDK reads error
bodies and unpacks compressed ones without a limit, so a hostile endpoint could exhaust the memory of Triton;
with both limits in our own transport, only the URL and the Authorization header would be left to it.
"""
