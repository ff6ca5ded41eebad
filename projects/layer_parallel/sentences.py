"""What the simulated trainings say, in ten sentences whose numbers are those of the results."""

from records import Simulation


def sentences(simulation: Simulation) -> str:
    """A numbered list in Markdown."""
    return ''
