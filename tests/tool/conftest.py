import pytest
from commands import Tool


@pytest.fixture
def tool(capsys, monkeypatch, tmp_path):
    """The tool, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return Tool(capsys)
