"""A report as text for the terminal."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from siamtrack.benchmark.figures import Entry, Latency, Report, middle
from siamtrack.benchmark.stages import STAGES
from siamtrack.evaluation.report.text import aligned

HEAD = (
    "", "p50 ms", "p95 ms", "share", "ratio", "frames/s", "cpu ms", "start ms", "memory MB",
    "growth MB", "threads",
)  # fmt: skip


def table(report: Report) -> str:
    """Return what was measured on one line, one table, and what to know about it."""
    rows = [list(HEAD)]
    for entry in report.trackers:
        rows += [_tracker(entry), *_stages(entry)]
    rows.append(_row("decode", middle(report.decode)))
    return "\n".join([_title(report), aligned(rows), *_many(report), *_notes(report)])


def _title(report: Report) -> str:
    settings, machine = report.settings, report.machine
    width, height = report.size
    return (
        f"{report.clip}: {settings.frames} frames of {width}x{height}, rounds in turn: "
        f"{settings.rounds}, threads: {settings.threads}; {machine.processor}, cores: "
        f"{machine.cores}"
    )


def _tracker(entry: Entry) -> list[str]:
    peak, growth, threads = (entry.median(name) for name in ("peak_mb", "growth_mb", "threads"))
    total, fps, cpu = (entry.median(name) for name in ("total_ms", "fps", "processor_ms"))
    return _cells(
        entry.name, f"{entry.update.p50:.2f}", f"{entry.update.p95:.2f}", "", f"{entry.ratio:.2f}",
        _text(fps, ".0f"), _text(cpu, ".1f"), _text(total, ".0f"), _text(peak, ".0f"),
        _text(growth, "+.1f"), _text(threads, ".0f"),
    )  # fmt: skip


def _stages(entry: Entry) -> Iterator[list[str]]:
    outside = entry.median("outside")
    if outside is None:
        return
    for name in STAGES:
        latency = entry.stage(name)
        yield _row(f"  {name}", latency, f"{latency.p50 / entry.update.p50:.1%}")
    yield _cells("  outside the network", share=f"{outside:.1%}")


def _many(report: Report) -> Iterator[str]:
    if not report.many:
        return
    rows = [["targets at once", "one tracker, ms", "as many trackers, ms", "ratio"]]
    for each in report.many:
        times = (f"{statistics.median(ms):.2f}" for ms in (each.together_ms, each.apart_ms))
        rows.append([str(each.targets), *times, f"{each.ratio:.2f}"])
    yield aligned(rows)


def _row(name: str, latency: Latency, share: str = "") -> list[str]:
    return _cells(name, f"{latency.p50:.2f}", f"{latency.p95:.2f}", share)


def _cells(
    name: str, p50: str = "", p95: str = "", share: str = "", ratio: str = "", *rest: str
) -> list[str]:
    cells = [name, p50, p95, share, ratio, *rest]
    return cells + [""] * (len(HEAD) - len(cells))


def _text(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _notes(report: Report) -> Iterator[str]:
    if report.machine.busy:
        yield (
            f"note: a load of {report.machine.load:g} on {report.machine.cores} cores before the "
            "start: milliseconds are too long, and with a thread for each core ratios are off as "
            "well; measure again on a quiet machine"
        )
    for line in report.skipped:
        yield f"skipped {line}"
