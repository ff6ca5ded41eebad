"""The log of scalars that MMEngine writes, ``vis_data/scalars.json``: one JSON object per line."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue

from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import is_there
from auglocal_mm.files.json_file import Count, parse_json


class Line(BaseModel):
    """One log entry: scalars by name, and the step at which they were logged.

    Attributes:
        step: Iteration for training, epoch (or iteration) for validation.
        epoch: Of training, from 1.
        iter: Of training.
    """

    model_config = ConfigDict(extra='allow', strict=True)
    __pydantic_extra__: dict[str, JsonValue]

    step: Count
    epoch: Count | None = None
    iter: Count | None = None

    @property
    def scalars(self) -> dict[str, JsonValue]:
        """All other values."""
        return self.__pydantic_extra__

    @property
    def is_validation(self) -> bool:
        """Whether it is of a validation: like training, it is timed, but it has no iteration and no epoch."""
        return self.iter is None and self.epoch is None and 'data_time' in self.scalars


def read_lines(path: Path) -> list[Line]:
    """Reads a log, without the half-written last line of a killed run.

    Raises:
        InputError: It is not a regular file, or a line is not valid JSON or not a log entry.
    """
    *whole, rest = (path.read_bytes() if is_there(path) else b'').split(b'\n')
    lines = [
        parse_json(line, Line, f'line {number} of {path}', 'remove that line')
        for number, line in enumerate(whole, start=1)
    ]
    try:
        return [*lines, parse_json(rest, Line, str(path), 'remove the last line')]
    except InputError:
        return lines
