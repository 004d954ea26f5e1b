"""From affinities to segments block by block, on one machine or many."""

from sectome.blockwise.block_grid import BlockGrid
from sectome.blockwise.plan import AffinitySource, Plan, make_plan
from sectome.blockwise.run_stage import UnfinishedRunError
from sectome.blockwise.schedulers import connected
from sectome.blockwise.segment_blocks import segment_blocks

__all__ = ["AffinitySource", "BlockGrid", "Plan", "UnfinishedRunError", "connected", "make_plan", "segment_blocks"]
