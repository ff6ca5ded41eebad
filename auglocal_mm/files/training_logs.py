"""Which logs of a work_dir belong to its newest training: those of its start and of all resumes."""

from collections.abc import Callable, Sequence
from pathlib import Path

from auglocal_mm.errors import InputError
from auglocal_mm.files.run_record import read_record
from auglocal_mm.files.scalar_log import Line, read_lines


def newest_training(work_dir: Path, is_validation: Callable[[Line], bool]) -> dict[Path, list[Line]]:
    """The logs of the newest training, never those of an earlier one in the same folder.

    Log folders are named by the time of their start, but clocks can go back: if an earlier training has validations, nothing
    says which of the two is newer.

    Args:
        work_dir: The work_dir of the training.
        is_validation: Whether a line is one of a validation.

    Returns:
        The lines by the file that they are from, ascending in the time of the start; empty if there is no log.

    Raises:
        InputError: A log is damaged, or there are several trainings.
    """
    starts = {path: read_lines(path) for path in sorted(work_dir.glob('*/vis_data/scalars.json'))}
    anew = [path for path, lines in starts.items() if not _is_resumed(path, lines)]
    newest = {path: lines for path, lines in starts.items() if len(anew) < 2 or path >= anew[-1]}
    for path in starts.keys() - newest.keys():
        if any(map(is_validation, starts[path])):
            raise InputError(
                f'{work_dir} contains the logs of {len(anew)} trainings, among them {path.parts[-3]} and '
                f'{anew[-1].parts[-3]}, and which one is the newest is not known; move the folders of the others away'
            )
    return newest


def _is_resumed(path: Path, lines: Sequence[Line]) -> bool:
    settings = read_record(path.with_name('config.py')) or {}
    begun = next((line.epoch for line in lines if line.epoch), 1)  # lines of local modules and validations have none
    return bool(settings.get('resume') and (settings.get('load_from') or begun > 1))
