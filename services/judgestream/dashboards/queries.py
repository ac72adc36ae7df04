"""The few forms of PromQL that the dashboards use."""


def series(name: str, *matchers: str) -> str:
    """The series of the chosen instances. `matchers` such as `outcome="failed"`."""
    every = ",".join(('instance=~"$instance"', *matchers))
    return f"{name}{{{every}}}"


def rate(name: str, *matchers: str) -> str:
    """The increase per second of each series of a counter."""
    return f"rate({series(name, *matchers)}[$__rate_interval])"


def total(query: str, by: str = "") -> str:
    """The sum, for each value of the labels `by`."""
    return f"sum by ({by}) ({query})" if by else f"sum({query})"


def quantile(q: float, histogram: str) -> str:
    """A quantile of a histogram over all chosen instances."""
    return f"histogram_quantile({q}, {total(rate(histogram + '_bucket'), 'le')})"


def mean(histogram: str) -> str:
    """The mean of a histogram over all chosen instances."""
    return f"{total(rate(histogram + '_sum'))} / {total(rate(histogram + '_count'))}"
