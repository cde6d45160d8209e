"""Lines of tables and keys."""

from logos_base.toml_lines import key_lines, line_of

TEXT = """\
a = 1
b.c = 2

[table] # words
d = 3
[[list]]
e = 4
[[list]]
e = 5
[list.inner]
f = 6
"""


def test_every_key_has_the_line_it_stands_on() -> None:
    lines = key_lines(TEXT)

    assert lines["a",] == 1
    assert lines["b", "c"] == 2
    assert lines["table", "d"] == 5
    assert (lines["list", 0, "e"], lines["list", 1, "e"]) == (7, 9)
    assert lines["list", 1, "inner", "f"] == 11


def test_a_key_that_is_missing_has_the_line_of_its_table() -> None:
    lines = key_lines(TEXT)

    assert line_of(lines, ("table", "z")) == 4
    assert line_of(lines, ("list", 1, "z")) == 8
    assert line_of(lines, ("z",)) == 1
