"""The simulated trainings, as ``results/simulation.json`` has them."""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from auglocal_mm.files.atomic import write_text
from auglocal_mm.files.json_file import Count, Positive, read_json

PATH = Path(__file__).parent / 'results/simulation.json'


class Row(BaseModel):
    """One training.

    Attributes:
        network: Its name.
        method: How it is trained.
        scheme: Which local modules there are, in local learning.
        heads: Kind of the auxiliary heads, in local learning.
        device: Kind of the devices.
        devices: Number of devices.
        bandwidth: Gbit/s between devices.
        jitter: Standard deviation of the logarithm of computing times.
        straggler: How many times longer than the others one device computes.
        stages: Of each replica.
        rate: Images/s.
        speedup: Against backpropagation on one device.
        one_replica: The same with as many stages as devices, if there are as many layers; without jitter and straggler.
        gradients: Bytes of the gradients in the stage with most of them.
        output: Most bytes between two stages for an image.
    """

    network: str
    method: Literal['BP', 'sequential', 'data-parallel BP', 'pipelined BP', 'layer-parallel']
    scheme: str = ''
    heads: str = ''
    device: str
    devices: Count
    bandwidth: Count = 0
    jitter: float = 0.0
    straggler: float = 1.0
    stages: Count
    rate: Positive
    speedup: Positive
    one_replica: Positive | None = None
    gradients: float
    output: float = 0.0


class Simulation(BaseModel):
    """All trainings.

    Attributes:
        gpu_speed: Of the assumed GPU, in speeds of the measured thread.
        rows: One for each.
    """

    gpu_speed: Positive
    rows: list[Row]

    def find(self, **values: object) -> list[Row]:
        """The rows with these values, of which ``None`` is any; without jitter and straggler unless given."""
        wanted = {'jitter': 0.0, 'straggler': 1.0, **values}
        return [
            row
            for row in self.rows
            if all(value is None or getattr(row, key) == value for key, value in wanted.items())
        ]

    def one(self, **values: object) -> Row:
        """The only row with these values."""
        (row,) = self.find(**values)
        return row


def write_simulation(simulation: Simulation) -> None:
    """Writes ``results/simulation.json``, a line for each row, numbers to five digits."""
    rows = [
        {key: float(f'{value:.5g}') if isinstance(value, float) else value for key, value in row.items()}
        for row in simulation.model_dump(exclude_defaults=True)['rows']
    ]
    lines = ',\n'.join(json.dumps(row) for row in rows)
    write_text(PATH, f'{{"gpu_speed": {simulation.gpu_speed:.5g}, "rows": [\n{lines}\n]}}\n')


def read_simulation() -> Simulation:
    """The content of ``results/simulation.json``.

    Raises:
        InputError: It has another content.
    """
    return read_json(PATH, Simulation, 'restore it, or run simulate.py')
