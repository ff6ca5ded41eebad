"""Tables and figures of all stages, from their JSON files."""

from pathlib import Path


def write_reports(out: Path) -> None:
    """Writes what the results in ``out`` show."""
