"""Several equal devices and the links between them."""

import math
import re
from dataclasses import dataclass

from auglocal_mm.errors import InputError

BANDWIDTHS = {'kbit': 1e3, 'mbit': 1e6, 'gbit': 1e9, 'tbit': 1e12}
TIMES = {'s': 1.0, 'ms': 1e-3, 'us': 1e-6, 'ns': 1e-9}


@dataclass(frozen=True)
class Devices:
    """Equal devices; each pair of neighbours has a link of its own.

    Attributes:
        number: Of devices.
        bandwidth: Bits per second of a link, in each direction.
        latency: Seconds until a message arrives, on top of its size.
        memory: Bytes of each device.
        update_seconds: Time of the optimizer for one parameter, in seconds.
        overlap: Whether a device computes while it exchanges gradients; the threads of a CPU that do so take its cores.
    """

    number: int
    bandwidth: float
    latency: float
    memory: float = math.inf
    update_seconds: float = 0.0
    overlap: bool = True

    def seconds_to_send(self, size: float) -> float:
        """Seconds of a message of so many bytes."""
        return self.latency + 8 * size / self.bandwidth

    def seconds_to_average(self, size: float) -> float:
        """Seconds of a ring all-reduce of so many bytes."""
        steps = 2 * (self.number - 1)
        return steps * (self.latency + 8 * size / self.number / self.bandwidth)


def parse_bandwidth(text: str) -> float:
    """``'25Gbit'`` in bits per second.

    Raises:
        InputError: The number is missing or 0, or the unit is unknown.
    """
    return _parse('--bandwidth', text.removesuffix('/s'), BANDWIDTHS, '25Gbit')


def parse_latency(text: str) -> float:
    """``'20us'`` in seconds.

    Raises:
        InputError: The number is missing, or the unit is unknown.
    """
    return _parse('--latency', text, TIMES, '20us', zero=True)


def _parse(name: str, text: str, units: dict[str, float], example: str, zero: bool = False) -> float:
    match = re.fullmatch(r'\s*(\d+\.?\d*|\.\d+)\s*([A-Za-z]+)\s*', text)
    if match is None or match[2].lower() not in units or not (zero or float(match[1])):
        raise InputError(f'{name} is {text!r}; expected a number and one of {", ".join(units)}, as in {example}')
    return float(match[1]) * units[match[2].lower()]
