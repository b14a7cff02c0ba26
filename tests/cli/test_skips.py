"""A skipped test needs leave."""

from pathlib import Path

from tools.skips import not_allowed

CASE = '<testcase classname="a" name="b"><skipped message="no docker"/></testcase>'
REPORT = f"<testsuites><testsuite>{CASE}</testsuite></testsuites>"


def test_a_skip_without_leave_is_named_and_one_with_leave_is_not(tmp_path: Path) -> None:
    report, allowed = tmp_path / "report.xml", tmp_path / "allowed.txt"
    report.write_text(REPORT)
    allowed.write_text("# no docker\n")
    assert not_allowed(report, allowed) == ["a::b was skipped: no docker"]
    allowed.write_text("no docker\n")
    assert not_allowed(report, allowed) == []
