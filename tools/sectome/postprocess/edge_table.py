"""Compiled look-ups of agglomeration: a hash table from segment pairs to edges, and a list of edges per segment.

Numba recompiles a cached function only when its own file changes. After a change here, delete the `__pycache__` of the
modules that import this one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sectome.postprocess.edge_records import NONE

EMPTY = np.int64(-1)


@njit(cache=True, nogil=True, inline="always")
def slot_of(table: Any, edges: Any, one: int, other: int) -> int:
    """Return the slot of the edge between two segments, or the empty slot where it belongs.

    A slot holds 31 bits of the pair's hash and the edge's index, so that edges of other pairs are rarely loaded.
    """
    mask = table.size - 1
    mixed = _mixed(one, other)
    place, tag = mixed & mask, mixed >> 32
    while table[place] != EMPTY:
        if table[place] >> 32 == tag and _joins(edges[table[place] & 0xFFFFFFFF], one, other):
            break
        place = (place + 1) & mask
    return place


@njit(cache=True, nogil=True, inline="always")
def _mixed(one: int, other: int) -> Any:
    """Return a 63-bit hash of an unordered pair (Knuth's multiplicative hash)."""
    pair = np.uint64((np.int64(min(one, other)) << 32) | np.int64(max(one, other)))
    product = pair * np.uint64(0x9E3779B97F4A7C15)
    return np.int64((product ^ (product >> np.uint64(29))) >> np.uint64(1))


@njit(cache=True, nogil=True, inline="always")
def _joins(edge: Any, one: int, other: int) -> bool:
    """Return whether an edge joins the two given segments."""
    return (edge.one == one and edge.other == other) or (edge.one == other and edge.other == one)


@njit(cache=True, nogil=True, inline="always")
def slot_entry(one: int, other: int, index: int) -> int:
    """Return an edge's table entry."""
    return (_mixed(one, other) >> 32 << 32) | np.int64(index)


@njit(cache=True, nogil=True)
def table_of_living(edges: Any, slots: int, more: int) -> Any:
    """Return a hash table of the living edges, and their number.

    It has at least `slots` (2**n) slots and is at most half full with `more` edges added. It never shrinks, or it would
    be rebuilt ever more often.
    """
    living = 0
    for index in range(len(edges)):
        living += edges[index].one != NONE
    while slots < 2 * (living + more):
        slots *= 2
    table = np.full(slots, EMPTY)
    for index in range(len(edges)):
        edge = edges[index]
        if edge.one != NONE:
            table[slot_of(table, edges, edge.one, edge.other)] = slot_entry(edge.one, edge.other, index)
    return table, living


@njit(cache=True, nogil=True)
def list_edges(edges: Any, nodes: Any) -> Any:
    """Return the concatenated edge lists of all segments, and set each one's start, length and capacity."""
    for index in range(len(edges)):
        nodes[edges[index].one].room += 1
        nodes[edges[index].other].room += 1
    start = 0
    for index in range(len(nodes)):
        nodes[index].start, nodes[index].smallest = start, index
        start += nodes[index].room
    lists = np.empty(start, np.int32)
    for index in range(len(edges)):
        for node in (nodes[edges[index].one], nodes[edges[index].other]):
            lists[node.start + node.length] = index
            node.length += 1
    return lists


@njit(cache=True, nogil=True)
def with_room(more: int, lists: Any, used: int, edges: Any, nodes: Any, keep: int) -> Any:
    """Return lists in which that of segment `keep` has room for `more` edges, and their used size."""
    keeper = nodes[keep]
    if keeper.length + more <= keeper.room:
        return lists, used
    room = 2 * (keeper.length + more)
    if used + room > lists.size:
        # Drop dead edges and compact the lists.
        total = 0
        for index in range(len(nodes)):
            total += nodes[index].length
        larger, used = np.empty(total + total // 2 + 2 * room, np.int32), 0
        for index in range(len(nodes)):
            node, start = nodes[index], used
            for place in range(node.start, node.start + node.length):
                if edges[lists[place]].one != NONE:
                    larger[used] = lists[place]
                    used += 1
            node.start, node.length = start, used - start
            node.room = node.length
        lists = larger
    for place in range(keeper.length):
        lists[used + place] = lists[keeper.start + place]
    keeper.start, keeper.room = used, room
    return lists, used + room
