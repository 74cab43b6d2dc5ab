"""Measures the sync and prints ratios: ``python -m benchmarks [--patients N] [--rounds N] [--only PART]``.

Everything is generated, in a temporary folder; every part runs in a process of its own; what is compared runs by
turns, and medians count, because a machine is never quiet. Ratios are for people to read: a slow machine fails nothing.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.postgresql import MISSING, databases
from benchmarks.practice import CHILDREN_PER_FAMILY, SQLITE, write_config
from benchmarks.process import Cost, measured

HELD = 3
"""The exit code of a first sync: done, and its Welcome emails wait for their release."""
RESOURCES_PER_FAMILY = 4.5
PARTS = ("full", "memory", "incremental", "postgresql")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--patients", type=int, default=100_000, help="charts in the first full sync (100000)")
    parser.add_argument("--rounds", type=int, default=2, help="how often each is measured (2)")
    parser.add_argument("--only", choices=PARTS, action="append", help="one part alone")
    options = parser.parse_args()
    parts = options.only or PARTS
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        if "full" in parts:
            full(folder / "full", options.patients, options.rounds)
        if "memory" in parts:
            memory(folder / "memory", options.patients)
        if "incremental" in parts:
            incremental(folder / "incremental", options.patients, options.rounds)
        if "postgresql" in parts:
            on_postgresql(folder / "postgresql", options.patients, options.rounds)


def full(folder: Path, patients: int, rounds: int) -> None:
    """The first full sync, as the command a practice runs, beside the floor."""
    counts = export(folder, patients)
    print(f"First full sync of {counts['Patient']:,} patients and {counts['RelatedPerson']:,} contacts from files")
    floors, syncs = [], []
    for turn in range(rounds):
        floors.append(measured("benchmarks.floor", folder / "ehr", folder / f"floor-{turn}.db"))
        (folder / f"floor-{turn}.db").unlink()
        syncs.append(first_sync(folder / f"round-{turn}"))
        shutil.rmtree(folder / f"round-{turn}")
    row("", "seconds", "CPU s", "peak MB")
    for label, costs in (("floor: decode, one insert each", floors), ("adapter sync", syncs)):
        row(label, *(f"{middle(costs, key):.1f}" for key in ("wall", "cpu", "peak")))
    row("ratio", *(f"{middle(syncs, key) / middle(floors, key):.1f} x" for key in ("wall", "cpu")))
    phases = measured("benchmarks.phases", write_config(folder / "phases")).answer
    print("  in a single process: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in phases.items()))
    shutil.rmtree(folder)


def memory(folder: Path, patients: int) -> None:
    """Peak memory of the first full sync as the practice grows."""
    print("Peak memory of a first full sync: of its largest process; the one that reads a large export adds to it")
    row("", "resources", "peak MB")
    for factor in (1, 4):
        here = folder / str(factor)
        counts = export(here, round(patients * factor / (RESOURCES_PER_FAMILY / CHILDREN_PER_FAMILY)))
        row(f"{counts['Patient']:,} patients", f"{sum(counts.values()):,}", f"{first_sync(here / 'sync').peak:.0f}")
        shutil.rmtree(here)


def incremental(folder: Path, patients: int, rounds: int) -> None:
    """100 changed contacts in a small practice and in one ten times as large."""
    sizes = (patients // 5, patients * 2)
    print(
        f"Incremental sync with 100 changed contacts (from a reader in the same process), {rounds + 2} times by turns"
    )
    configs = []
    for size in sizes:
        export(folder / str(size), size)
        run = first_sync(folder / str(size) / "sync").answer["run"]
        configs.append(folder / str(size) / "sync" / "config.toml")
        measured("adapter", "--config", configs[-1], "release", run)
    costs: dict[Path, list[Cost]] = {config: [] for config in configs}
    for turn in range(rounds + 2):
        for config in configs:
            costs[config].append(measured("benchmarks.incremental", config, turn))
    wall = [median(cost.answer["wall"] for cost in costs[config]) for config in configs]
    cpu = [median(cost.answer["cpu"] for cost in costs[config]) for config in configs]
    row("", "ms", "CPU ms", "peak MB")
    for index, size in enumerate(sizes):
        peak = middle(costs[configs[index]], "peak")
        row(f"{size:,} patients", f"{wall[index] * 1000:.0f}", f"{cpu[index] * 1000:.0f}", f"{peak:.0f}")
    row("ratio", f"{wall[1] / wall[0]:.2f} x", f"{cpu[1] / cpu[0]:.2f} x")
    shutil.rmtree(folder)


def on_postgresql(folder: Path, patients: int, rounds: int) -> None:
    """The first full sync into PostgreSQL, beside the same into SQLite."""
    with databases() as server:
        if server is None:
            print(MISSING)
            return
        counts = export(folder, patients)
        print(f"The same of {counts['Patient']:,} patients and {counts['RelatedPerson']:,} contacts into PostgreSQL")
        sqlite, postgresql = [], []
        for turn in range(rounds):
            sqlite.append(first_sync(folder / "sqlite"))
            with server.new(f"turn-{turn}") as address:
                postgresql.append(first_sync(folder / "postgresql", address))
            shutil.rmtree(folder / "sqlite")
            shutil.rmtree(folder / "postgresql")
    row("", "seconds", "CPU s", "peak MB")
    for label, costs in (("adapter sync, SQLite", sqlite), ("adapter sync, PostgreSQL", postgresql)):
        row(label, *(f"{middle(costs, key):.1f}" for key in ("wall", "cpu", "peak")))
    print("  The server's own CPU seconds are not in the table.")
    row("ratio", f"{middle(postgresql, 'wall') / middle(sqlite, 'wall'):.1f} x")
    shutil.rmtree(folder)


def export(folder: Path, patients: int) -> dict[str, int]:
    """Writes an export with about so many patients; returns how many resources of each type it has."""
    answer: dict[str, int] = measured("benchmarks.practice", folder, round(patients / CHILDREN_PER_FAMILY)).answer
    return answer


def first_sync(folder: Path, database: str = SQLITE) -> Cost:
    """``adapter sync`` of a practice that was never synced."""
    return measured("adapter", "--config", write_config(folder, database), "sync", "--json", codes=(HELD,))


def middle(costs: list[Cost], key: str) -> float:
    return float(median(getattr(cost, key) for cost in costs))


def row(label: str, *cells: str) -> None:
    print(f"  {label:<32}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
