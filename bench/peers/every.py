"""All peers there are."""

from bench.peers.base import Peer
from bench.peers.bullmq_peer import BullmqPeer
from bench.peers.outbox_peer import OutboxPeer
from bench.peers.procrastinate_peer import ProcrastinatePeer


def every() -> tuple[Peer, ...]:
    """Returns one of each."""
    return (BullmqPeer(), ProcrastinatePeer(), OutboxPeer(in_batches=False), OutboxPeer(in_batches=True))
