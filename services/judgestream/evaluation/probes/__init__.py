"""What live verdicts say about the judge itself: counts to add, metrics of counts, event-time windows."""
