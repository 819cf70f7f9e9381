"""Databases for the tests of catalog and ledger."""

from itertools import count

import pytest

from tests.voxcurate.postgres import new_database, server

_numbers = count()


@pytest.fixture(scope="session")
def postgres():
    with server() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database(request, tmp_path):
    """URL of an empty database, of each kind that the catalog knows."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalog.sqlite'}"
    return new_database(request.getfixturevalue("postgres"), f"test_{next(_numbers)}")
