"""What a campaign is asked to do; everything that is drawn is drawn from its seed."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One campaign.

    Attributes:
        seed: The schedule of messages and faults follows from it alone.
        seconds: How long messages are sent and faults are injected; start, settling and checks come on top.
        faults: Names out of `faults.NAMES`; None takes all, an empty tuple none.
        planted: A bug out of `planted.py` that API and workers are started with.
        rate: Requests per second.
        tenants: How many tenants share the instance.
        workers: How many worker processes.
        settle: Seconds that may pass, once everything is healed, until nothing moves any more.
        late: Seconds from acceptance by us to acceptance by the provider above which a message counts as late.
        records: Where to keep what was recorded; a temporary directory that is removed after a valid campaign if None.
    """

    seed: int
    seconds: int = 30
    faults: tuple[str, ...] | None = None
    planted: str | None = None
    rate: float = 10.0
    tenants: int = 3
    workers: int = 2
    settle: float = 240.0
    late: float = 30.0
    records: Path | None = None

    @property
    def command(self) -> str:
        """Returns the command that runs this campaign: the same messages and strikes every time."""
        chosen = "" if self.faults is None else f" --faults {','.join(self.faults)}"
        planted = "" if self.planted is None else f" --planted {self.planted}"
        return (
            f"python -m tests.chaos --seed {self.seed} --seconds {self.seconds} --rate {self.rate:g}{chosen}{planted}"
        )
