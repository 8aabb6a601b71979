"""What a table and its plot say of rounds."""

from benchmarks.measure import Measured, plot, throughput


def measured(*seconds: float) -> list[Measured]:
    return [Measured(each, 0.0, 0.0, ()) for each in seconds]


FOUND = {"theirs": measured(10.0, 30.0, 10.0), "ours": measured(5.0, 10.0, 4.0)}


def test_throughput_is_the_median_of_each_rounds_own_ratio() -> None:
    assert throughput(FOUND, "theirs") == {"theirs": 1.0, "ours": 2.5}


def test_the_plot_has_a_bar_for_each_arm() -> None:
    lines = plot("clips", FOUND, "theirs")
    assert (lines[0], lines[-1]) == ("```mermaid", "```")
    assert '    x-axis ["theirs", "ours"]' in lines and "    bar [1.00, 2.50]" in lines
    assert '    y-axis "relative throughput" 0 --> 3' in lines
