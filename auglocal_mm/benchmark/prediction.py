"""What a plan predicts of an iteration: its memory, and its time, by the times of single layers."""

from dataclasses import dataclass, replace

from mmengine.config import Config

from auglocal_mm.planning.costs.candidates import timed_candidates
from auglocal_mm.planning.costs.network_cost import NetworkCosts
from auglocal_mm.planning.costs.timed_costs import NANOSECONDS
from auglocal_mm.planning.plan import Plan
from auglocal_mm.planning.search.modules import compute_of
from auglocal_mm.planning.training_config import optimizer_states, trains_in_autocast


@dataclass(frozen=True)
class Prediction:
    """A plan, and what it was found with.

    Attributes:
        config: The config that was planned.
        costs: Costs of its network and of the candidate heads.
        plan: The plan.
    """

    config: Config
    costs: NetworkCosts
    plan: Plan

    def seconds(self, device: str) -> float | None:
        """Seconds of an iteration, by layers that are timed now; ``None`` if the plan counts FLOPs.

        Args:
            device: ``'cpu'`` or ``'cuda'``.
        """
        if not self.costs.timed:
            return None
        chosen = {
            place: self.costs.heads[place] for place in [(each.last, each.depth) for each in self.plan.modules[:-1]]
        }
        network = replace(self.costs, heads=chosen)
        batch_size, states = self.config.train_dataloader.batch_size, optimizer_states(self.config)
        (timed,) = timed_candidates(self.config, [network], batch_size, states, trains_in_autocast(self.config), device)
        return sum(compute_of(timed, module) for module in self.plan.modules) * batch_size / NANOSECONDS
