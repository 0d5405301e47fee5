"""Tables line up."""

from auxrnn.report.tables import markdown_table, text_table

HEADER = ["model", "accuracy"]
ROWS = [["LSTM", "11.2 ± 0.1"], ["a longer name", "9"]]


def test_text_columns_line_up():
    lines = text_table(HEADER, ROWS).splitlines()
    assert lines == [
        "model            accuracy",
        "-------------  ----------",
        "LSTM           11.2 ± 0.1",
        "a longer name           9",
    ]


def test_text_without_rows():
    assert text_table(["a"], []).splitlines() == ["a", "-"]


def test_markdown():
    assert markdown_table(HEADER, ROWS).splitlines() == [
        "| model | accuracy |",
        "| --- | ---: |",
        "| LSTM | 11.2 ± 0.1 |",
        "| a longer name | 9 |",
    ]


def test_a_bar_in_a_cell_starts_no_column():
    assert markdown_table(["a"], [["x|y"]]).splitlines()[-1] == r"| x\|y |"
