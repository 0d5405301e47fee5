"""Most fits here are too short, or on jobs too easy, to beat what costs a second; `test_verdict` looks at that."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE and item.path.name != "test_verdict.py":
            item.add_marker(pytest.mark.filterwarnings("ignore::auxrnn.errors.FloorWarning"))
