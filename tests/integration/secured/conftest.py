"""The secured pipeline after its load, for the tests that look at it."""

from collections.abc import Iterator

import pytest

from tests.integration.secured.scenario import Proof, proof_of


@pytest.fixture(scope="package")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proof]:
    with proof_of(tmp_path_factory.mktemp("proof")) as proof:
        yield proof
