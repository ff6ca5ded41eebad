"""What several test files share beside fixtures."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
