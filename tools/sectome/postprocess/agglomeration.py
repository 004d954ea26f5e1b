"""Agglomeration of fragments, the pair with the greatest score first."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from sectome.checks import InputError, check_within
from sectome.postprocess.edge_histograms import edge_histograms, room_for, score_of, unite_histograms
from sectome.postprocess.edge_records import NODE, NONE, edge_records
from sectome.postprocess.edge_table import EMPTY, list_edges, slot_entry, slot_of, table_of_living, with_room
from sectome.postprocess.merge_history import MergeHistory
from sectome.postprocess.radix_sort import sorted_by_high_bits
from sectome.postprocess.region_graph import RegionGraph
from sectome.postprocess.scoring import MEAN, parse_scoring
from sectome.types import Array

_BINS = 1024


def agglomerate(
    graph: RegionGraph,
    *,
    scoring: str = "mean",
    stop: float = 0.0,
    apart: Sequence[Sequence[int]] = (),
    sizes: Any = None,
    large_voxels: int | None = None,
    waiting: Any = None,
) -> MergeHistory:
    """Return the merges of an agglomeration that repeatedly merges the two segments with the greatest score.

    Edges that a merge makes parallel are united. The mean is average linkage over voxel pairs, as in waterz (Funke
    et al. 2019, doi:10.1109/TPAMI.2018.2835450). The order is exact. Equal scores merge in the order of the smallest
    pair of fragment ids behind them, so the result is deterministic.

    Args:
        graph: region graph of the fragments; not modified. An edge between fragments that do not touch counts only once
            merges have made it parallel to an edge between fragments that do.
        scoring: "mean" of the affinities; "quantile_Q", the value that Q percent of them do not exceed; "max_K", the
            mean of the K greatest. The last two need a graph with levels.
        stop: score below which agglomeration ends.
        apart: pairs of fragment ids that must not end up in one segment, from a proof-reader.
        sizes: (max_fragment + 1,) voxels of each fragment, for `large_voxels`.
        large_voxels: size in voxels; two segments that both reach it never merge, such as two neurons that touch.
        waiting: (max_fragment + 1,) booleans, true for fragments with edges that the graph lacks. They do not merge. A
            segment whose next merge would be with a waiting one waits from then on, too. The remaining merges are also
            merges of the whole graph if all edges are touching: uniting two edges never gives a mean above the greater
            of theirs (Bruynooghe 1977), so an edge that is the greatest at both of its ends remains so.

    Raises:
        InputError: if a number is out of range, a pair does not name two fragments, or levels or sizes are missing.
    """
    check_within(stop, 0, 1, "stop")
    kind, number = parse_scoring(scoring)
    if kind != MEAN and graph.levels is None:
        raise InputError(f"the region graph must have levels (keep_levels=True) for scoring {scoring}, got one without")
    if len(graph) + len(apart) >= 2**30:
        raise InputError(f"the region graph must have fewer than 2**30 edges, got {len(graph)}")
    edges = edge_records(graph, _check_apart(apart, graph.max_fragment))
    nodes = np.zeros(graph.max_fragment + 1, NODE)
    if large_voxels is not None:
        if large_voxels < 1 or sizes is None or len(sizes) != len(nodes):
            raise InputError(
                f"large_voxels must be 1 or more and come with the sizes of {len(nodes)} ids, got {large_voxels} and "
                f"{'none' if sizes is None else len(sizes)}"
            )
        nodes["voxels"] = sizes
    bins, amounts = edge_histograms(graph.levels if kind != MEAN else None, edges)
    scores = _first_scores(edges, graph.unit, kind, number, bins, amounts, stop)
    # The low half of a word is the index of its edge.
    order = sorted_by_high_bits(_queue_words(edges, scores), 32).astype(np.uint32)
    _sort_equal_words(order, scores)
    waits = np.zeros(len(nodes), np.bool_) if waiting is None else np.array(waiting, np.bool_)
    merges, merged_scores = _merge(
        edges, nodes, order, scores, graph.unit, kind, number, bins, amounts, stop, large_voxels or 0, waits
    )
    return MergeHistory(merges=merges, scores=merged_scores, max_fragment=graph.max_fragment, stopped_at=stop)


def _check_apart(apart: Sequence[Sequence[int]], max_fragment: int) -> Array:
    """Return the (P, 2) unique pairs, sorted, with the smaller id first."""
    pairs = np.asarray(apart if len(apart) else np.empty((0, 2)), np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise InputError(f"apart must hold pairs of fragments, got shape {pairs.shape}")
    pairs = np.sort(pairs, axis=1)
    for u, v in pairs.tolist():
        if not 0 < u < v <= max_fragment:
            raise InputError(f"apart must hold pairs of two different fragments of 1..{max_fragment}, got ({u}, {v})")
    return np.unique(pairs, axis=0)


@njit(cache=True, nogil=True)
def _first_scores(edges: Any, unit: float, kind: int, number: int, bins: Any, amounts: Any, stop: float) -> Any:
    """Return (E,) scores, -1 for edges that must not merge or score below `stop`."""
    scores = np.full(len(edges), -1.0)
    for index in range(len(edges)):
        edge = edges[index]
        if edge.touching and not edge.forbidden:
            score = score_of(edge, unit, kind, number, bins, amounts)
            if score >= stop:
                scores[index] = edge.queued = score
    return scores


@njit(cache=True, nogil=True)
def _queue_words(edges: Any, scores: Any) -> Any:
    """Return a word per edge with a score: 32 bits that grow as the score falls, then 32 bits of its index."""
    count = 0
    for score in scores:
        count += score >= 0
    words, count = np.empty(count, np.uint64), 0
    for index in range(len(edges)):
        if scores[index] >= 0:
            late = np.uint64((1.0 - min(1.0, scores[index])) * 4294967295.0)
            words[count] = (late << np.uint64(32)) | np.uint64(index)
            count += 1
    return words


@njit(cache=True, nogil=True)
def _sort_equal_words(order: Any, scores: Any) -> None:
    """Correct the order of scores that are equal in 32 bits: they are few and close together in it."""
    for index in range(1, order.size):
        edge, place = order[index], index
        while place > 0 and scores[order[place - 1]] < scores[edge]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = edge


@njit(cache=True, nogil=True)
def _put_back(edge: Any, index: Any, score: float, stop: float, heap: Any, binned: Any, open_bin: int) -> None:
    """Queue an edge by its current score: in its bin, or in the heap if that bin is open or the edge is in a bin."""
    edge.queued, edge.queued_first = score if score >= stop else -1.0, edge.first
    if score < stop:
        return
    own = int(score * _BINS)
    if edge.binned or own >= open_bin:
        heapq.heappush(heap, (-score, edge.first, index))
    else:
        edge.next, edge.binned = binned[own], True
        binned[own] = index


@njit(cache=True, nogil=True)
def _move_edges(edges: Any, lists: Any, goer: Any, gone: int, keep: int, living: Any) -> int:
    """Move the living edges of segment `gone` to segment `keep`, list them in `living` and return their number."""
    count = 0
    for place in range(goer.start, goer.start + goer.length):
        moved = edges[lists[place]]
        if moved.one != NONE:
            living[count] = lists[place]
            count += 1
            if moved.one == gone:
                moved.one = keep
            else:
                moved.other = keep
    return count


@njit(cache=True, nogil=True)
def _absorb(kept: Any, absorbed: Any) -> None:
    """Add a parallel edge, except its histogram, to `kept`, and mark it as dead."""
    absorbed.one = NONE
    kept.sum += absorbed.sum
    kept.count += absorbed.count
    kept.touching |= absorbed.touching
    kept.forbidden |= absorbed.forbidden
    kept.first = min(kept.first, absorbed.first)


@njit(cache=True, nogil=True)
def _merge(
    edges: Any,
    nodes: Any,
    order: Any,
    scores: Any,
    unit: float,
    kind: int,
    number: int,
    bins: Any,
    amounts: Any,
    stop: float,
    large: int,
    waits: Any,
) -> Any:
    """Return the merges (M, 2) and their scores (M,); `edges`, `nodes` and the histograms are overwritten.

    The queue has three parts: the initial edges, sorted once; bins of edges whose score had fallen when their turn
    came; and a heap of the edges from open bins. So the heap is small, and an edge that absorbs ten others is rescored
    when its turn comes, not ten times. An edge whose score rises enters the heap at once.
    """
    lists = list_edges(edges, nodes)
    lists_used = np.int64(lists.size)
    table, table_used = table_of_living(edges, 1 << 4, 0)
    levels_used = np.int64(bins.size)
    binned, open_bin = np.full(_BINS + 1, NONE), _BINS + 1
    heap = [(1.0, np.int32(0), np.int32(0))]
    heap.clear()
    living = np.empty(64, np.int32)
    merges, merged_scores = np.empty((max(0, len(nodes) - 1), 2), np.int64), np.empty(max(0, len(nodes) - 1))
    done, turn = 0, 0

    while True:
        if turn < order.size:
            ahead = (-scores[order[turn]], np.int32(order[turn]), np.int32(0))
        else:
            ahead = (1.0, np.int32(0), np.int32(0))
        from_heap = len(heap) > 0 and heap[0] < ahead
        surest = -heap[0][0] if from_heap else -ahead[0]
        if open_bin > 0 and int(surest * _BINS) < open_bin:
            open_bin -= 1
            index, binned[open_bin] = binned[open_bin], NONE
            while index != NONE:
                edge = edges[index]
                following, edge.binned = edge.next, False
                if edge.one != NONE and not edge.forbidden:
                    now = score_of(edge, unit, kind, number, bins, amounts)
                    _put_back(edge, index, now, stop, heap, binned, open_bin)
                index = following
            continue
        if from_heap:
            negative, first, chosen = heapq.heappop(heap)
            score = -negative
        elif turn < order.size:
            chosen = np.int32(order[turn])
            score, first = scores[chosen], chosen
            turn += 1
        else:
            break
        edge = edges[chosen]
        if edge.one == NONE or edge.forbidden:
            continue
        now = score_of(edge, unit, kind, number, bins, amounts)
        if now != score or edge.first != first:
            if now < score or (now == score and edge.first > first):
                _put_back(edge, chosen, now, stop, heap, binned, open_bin)
            continue
        keep, gone = edge.one, edge.other
        if waits[keep] or waits[gone]:
            waits[keep] = waits[gone] = True
            continue
        # Only the edges of the removed segment are touched, so remove the one with the shorter list.
        if nodes[keep].length < nodes[gone].length:
            keep, gone = gone, keep
        keeper, goer = nodes[keep], nodes[gone]
        if large > 0 and keeper.voxels >= large and goer.voxels >= large:
            continue
        edge.one = NONE
        smaller, larger = min(keeper.smallest, goer.smallest), max(keeper.smallest, goer.smallest)
        merges[done, 0], merges[done, 1] = smaller, larger
        # A threshold cuts the history at the first merge below it, so scores must not increase, as a later one may.
        merged_scores[done] = score if done == 0 else min(score, merged_scores[done - 1])
        done += 1
        keeper.smallest = smaller
        keeper.voxels += goer.voxels

        lists, lists_used = with_room(goer.length, lists, lists_used, edges, nodes, keep)
        if goer.length > living.size:
            living = np.empty(2 * goer.length, np.int32)
        if 3 * table.size < 4 * (table_used + goer.length):
            table, table_used = table_of_living(edges, table.size, goer.length)
        # All edges are moved before the first look-up, or one would be found under its old segment.
        for place in range(_move_edges(edges, lists, goer, gone, keep, living)):
            index = living[place]
            moved = edges[index]
            neighbour = moved.other if moved.one == keep else moved.one
            slot = slot_of(table, edges, keep, neighbour)
            if table[slot] == EMPTY:
                table[slot] = slot_entry(keep, neighbour, index)
                table_used += 1
                lists[keeper.start + keeper.length] = index
                keeper.length += 1
                continue
            parallel_index = np.int32(table[slot] & 0xFFFFFFFF)
            if parallel_index == index:
                continue
            parallel = edges[parallel_index]
            kept, absorbed, survivor = moved, parallel, index
            if parallel.queued > moved.queued or (parallel.queued == moved.queued and parallel.first < moved.first):
                kept, absorbed, survivor = parallel, moved, parallel_index
            else:
                table[slot] = slot_entry(keep, neighbour, index)
                lists[keeper.start + keeper.length] = index
                keeper.length += 1
            if kind != MEAN:
                bins, amounts, levels_used = room_for(kept.levels + absorbed.levels, levels_used, edges, bins, amounts)
                levels_used = unite_histograms(kept, absorbed, bins, amounts, levels_used)
            _absorb(kept, absorbed)
            if kept.touching and not kept.forbidden:
                now = score_of(kept, unit, kind, number, bins, amounts)
                # A score that fell and rose back can be due earlier than its place in the queue.
                earlier = kept.first < kept.queued_first
                if now >= stop and (now > kept.queued or (now == kept.queued and earlier)):
                    kept.queued, kept.queued_first = now, kept.first
                    heapq.heappush(heap, (-now, kept.first, survivor))
        goer.length = 0
    return merges[:done].copy(), merged_scores[:done].copy()
