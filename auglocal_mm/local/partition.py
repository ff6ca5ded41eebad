"""Where a chain of local layers is cut into local modules: names and numbers in, numbers out."""

from collections.abc import Sequence

from auglocal_mm.errors import InputError


def resolve_cuts(
    names: Sequence[str],
    num_local_modules: int | None = None,
    cut_points: Sequence[int | str] | None = None,
    last_module_layers: int = 1,
) -> list[int]:
    """The local layers after which the chain is cut, counted from 1: K - 1 ascending numbers below L.

    Args:
        names: The names of all L local layers.
        num_local_modules: K, from 1 (BP) to L. Lengths are even, the longer modules last. Default: as many as possible.
        cut_points: Explicit cuts instead, by number or by name: ``[1, 5]`` or ``['stem', 'layer2.0']``.
        last_module_layers: Local layers of the last module ("trimming"). Small-image tables: the auxiliary depth d.

    Raises:
        InputError: K out of range, cuts unordered or unknown, or two of the ways at once.
    """
    total = len(names)
    if cut_points is not None:
        if num_local_modules is not None or last_module_layers != 1:
            raise InputError('cut_points excludes num_local_modules and last_module_layers; keep one of them')
        return _explicit_cuts(names, cut_points)
    if not isinstance(last_module_layers, int) or not 1 <= last_module_layers <= total:
        raise InputError(
            f'last_module_layers is {last_module_layers!r}; expected 1 to {total}, the number of local layers'
        )
    trainable = total - last_module_layers  # local layers before the last module
    modules = trainable + 1 if num_local_modules is None else num_local_modules
    if not isinstance(modules, int) or not 1 <= modules <= trainable + 1:
        raise InputError(
            f'num_local_modules is {modules!r}; expected 1 (BP) to {trainable + 1}, one for each local layer'
            + (f' before the last module of {last_module_layers}' if last_module_layers > 1 else '')
        )
    if last_module_layers > 1 and modules > 1:
        return [trainable * k // (modules - 1) for k in range(1, modules)]
    return [total * k // modules for k in range(1, modules)]


def _explicit_cuts(names: Sequence[str], cuts: Sequence[int | str]) -> list[int]:
    if not isinstance(cuts, Sequence) or isinstance(cuts, str):
        raise InputError(f'cut_points is {cuts!r}; expected a list of local layers, by number or by name')
    for cut in cuts:
        if cut not in (names if isinstance(cut, str) else range(1, len(names))):
            raise InputError(
                f'cut_points names the local layer {cut!r}, which is unknown; expected 1 to {len(names) - 1} or one of '
                f'{", ".join(names[:-1])}'
            )
    numbers = [names.index(cut) + 1 if isinstance(cut, str) else cut for cut in cuts]
    if numbers != sorted(set(numbers)) or len(names) in numbers:
        raise InputError(f'cut_points are {list(cuts)}; expected ascending local layers before the last one, each once')
    return numbers
