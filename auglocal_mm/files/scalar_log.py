"""The log of numbers that MMEngine writes, ``vis_data/scalars.json``: an object a line."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue

from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import is_there
from auglocal_mm.files.json_file import Count, parse_json


class Line(BaseModel):
    """What was logged at once: numbers by their names, among them when it was.

    Attributes:
        step: Iteration of a line of the training, epoch (or iteration) of one of a validation.
        epoch: Of a line of the training, counted from 1.
        iter: Of a line of the training.
    """

    model_config = ConfigDict(extra='allow', strict=True)
    __pydantic_extra__: dict[str, JsonValue]

    step: Count
    epoch: Count | None = None
    iter: Count | None = None

    @property
    def scalars(self) -> dict[str, JsonValue]:
        """All that was logged besides."""
        return self.__pydantic_extra__


def read_lines(path: Path) -> list[Line]:
    """Reads a log; without the half line at the end that a killed run leaves.

    Raises:
        InputError: It is not a regular file; a line is not valid JSON, or not one of such a log.
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
