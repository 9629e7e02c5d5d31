"""stats: what was asked for is heard, or refused."""

import pytest
from click.testing import CliRunner

from commands.stats import stats


@pytest.mark.parametrize("words", [("--since", "7d"), ("--category", "VSAM"), ("--json",)])
def test_an_option_of_the_dashboard_is_none_of_a_list(words: tuple[str, ...]) -> None:
    """Before the list's name it would be ignored: the list would be of something else."""
    asked = CliRunner().invoke(stats, [*words, "queries", "unanswered"])
    assert asked.exit_code == 2
    assert "Options of `queries` have their place after it." in asked.output
