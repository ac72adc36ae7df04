"""Published benchmarks as suites: rows of their files -> requests; verdicts -> the paper's figures.

Pure, as `evaluation` is. A new suite is a file here with one `Suite`, and a row in `suites.table`;
`docs/how-to/add-a-suite.md` shows how.
"""
