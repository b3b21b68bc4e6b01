"""Says after a long run how many cases there were."""

from tests.fuzz.harness import CASES, TALLY


def pytest_terminal_summary(terminalreporter):
    if not CASES:
        return
    total = sum(count for name, count in TALLY.items() if name.endswith(" cases"))
    terminalreporter.write_line(f"fuzzing: {total} cases")
    for name in sorted(key.removesuffix(" cases") for key in TALLY if key.endswith(" cases")):
        read, refused = TALLY[f"{name} read"], TALLY[f"{name} refused"]
        terminalreporter.write_line(f"  {name}: {read} read, {refused} refused")
