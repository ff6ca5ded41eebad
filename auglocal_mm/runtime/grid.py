"""The grid of processes: each stage trains some local modules, each replica with its own images.

Without layer-parallel training every process is a replica with all local modules.
"""

from dataclasses import dataclass

import torch
from mmengine.dist import get_rank, get_world_size
from torch import distributed, nn
from torch.distributed import ProcessGroup
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh


@dataclass(frozen=True)
class Grid:
    """The place of this process among all.

    The last stage has the first rank of its replica, so that the first of all processes, which logs, sees every loss.

    Attributes:
        mesh: Ranks, by replica and by stage from the last to the first.
        stage: Index of the stage of this process.
        replica: Index of its replica.
        incoming: Group of this process and that of the previous stage.
        outgoing: Group of this process and that of the next stage.
        control: Group of this replica that sends objects from CPU to CPU.
    """

    mesh: DeviceMesh
    stage: int
    replica: int
    incoming: ProcessGroup | None
    outgoing: ProcessGroup | None
    control: ProcessGroup

    @property
    def num_stages(self) -> int:
        """Number of stages."""
        return self.mesh.size(1)

    def rank(self, stage: int) -> int:
        """The rank of a stage of this replica."""
        return self.replica * self.num_stages + self.num_stages - 1 - stage


_current: list[Grid] = []


def current_grid() -> Grid | None:
    """The grid of layer-parallel training, if there is one."""
    return _current[0] if _current else None


def arrange_processes(num_stages: int) -> None:
    """Arranges all processes of the default group as replicas of ``num_stages`` stages.

    Args:
        num_stages: A divisor of the number of processes.
    """
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    num_replicas = get_world_size() // num_stages
    mesh = init_device_mesh(device, (num_replicas, num_stages), mesh_dim_names=('data', 'layer'))
    replica, place = divmod(get_rank(), num_stages)
    stage = num_stages - 1 - place
    edges, controls = {}, {}
    # All processes create all groups, in the same order.
    for first in range(0, get_world_size(), num_stages):
        ranks = list(range(first, first + num_stages))
        controls[first] = distributed.new_group(ranks, backend='gloo')
        for rank in ranks[1:]:
            edges[rank] = distributed.new_group([rank - 1, rank])
    incoming = edges[get_rank() + 1] if stage > 0 else None
    outgoing = edges[get_rank()] if place > 0 else None
    _current[:] = [Grid(mesh, stage, replica, incoming, outgoing, controls[replica * num_stages])]
    for group in (incoming, outgoing):  # connections are made at first use, in the order of the stages
        if group is not None:
            distributed.all_reduce(torch.zeros(1, device=device), group=group)


def forget_grid() -> None:
    """Makes every process a replica with all local modules again."""
    _current.clear()


def num_replicas() -> int:
    """Number of processes that train the same local modules with different images."""
    grid = current_grid()
    return get_world_size() if grid is None else grid.mesh.size(0)


def replica_index() -> int:
    """Which share of the images this process trains with."""
    grid = current_grid()
    return get_rank() if grid is None else grid.replica


def replica_group() -> ProcessGroup | None:
    """The processes that train the same local modules; ``None`` for all processes."""
    grid = current_grid()
    return None if grid is None else grid.mesh.get_group('data')


def synchronise_norms(network: nn.Module) -> None:
    """Has every SyncBatchNorm take statistics from the processes that train the same local modules, not from all."""
    for module in network.modules():
        if isinstance(module, nn.SyncBatchNorm):
            module.process_group = replica_group()
