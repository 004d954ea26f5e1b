"""From affinities to neurons, or from maps to mitochondria, block by block, on one or many machines."""

from sectome.blockwise.block_grid import BlockGrid
from sectome.blockwise.mitochondria_plan import MitochondriaPlan, plan_mitochondria
from sectome.blockwise.neuron_plan import AffinitySource, NeuronPlan, plan_neurons
from sectome.blockwise.plan import MapSource, Plan
from sectome.blockwise.run_stage import UnfinishedRunError
from sectome.blockwise.schedulers import connected
from sectome.blockwise.segment_blocks import segment_blocks

__all__ = [
    "AffinitySource",
    "BlockGrid",
    "MapSource",
    "MitochondriaPlan",
    "NeuronPlan",
    "Plan",
    "UnfinishedRunError",
    "connected",
    "plan_mitochondria",
    "plan_neurons",
    "segment_blocks",
]
