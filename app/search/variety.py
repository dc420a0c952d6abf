"""Variety among the nearest records: maximal marginal relevance."""

import numpy as np
from numpy.typing import NDArray

# One product of two matrices takes as long as so many products with a vector fewer than there are vectors.
_PRODUCTS_AT_ONCE = 16
# Fewer vectors are multiplied on this thread. BLAS would divide the work among threads of its own, which wait for one
# another: alone that takes .5 ms for 100 vectors, beside other work 30 ms.
_WORTH_THREADS = 512
# Likenesses are rounded: the same vectors are equally alike in whatever order a processor adds up.
_DECIMALS = 6


def most_varied(
    vectors: NDArray[np.float32], distances: NDArray[np.float64], diversity: float, wanted: int
) -> list[int]:
    """Return the places of the records in the order of maximal marginal relevance; the nearest always is the first.

    Each next record is the one with the greatest `(1 - diversity) * relevance - diversity * likeness`: relevance is its
    cosine likeness to the query, likeness the greatest one to a record chosen before. Of equals the nearer is taken.
    Source: J. Carbonell, J. Goldstein: "The use of MMR, diversity-based reranking for reordering documents and
    producing summaries", SIGIR 1998.

    Args:
        vectors: shape (n, dimensions), float32, none of them zero.
        distances: shape (n,), float64, cosine distances to the query, ascending.
        diversity: 0 (by distance alone) to 1 (as different as can be).
        wanted: how many records are put in order, 1 to n.

    """
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    few = len(unit) < _WORTH_THREADS
    all_likenesses = unit @ unit.T if not few and wanted * _PRODUCTS_AT_ONCE > len(unit) else None

    def likenesses(place: int) -> NDArray[np.float32]:
        found: NDArray[np.float32]
        if all_likenesses is not None:
            found = all_likenesses[place]
        else:
            found = np.einsum("ij,j->i", unit, unit[place]) if few else unit @ unit[place]
        return found.round(_DECIMALS)

    relevance = (1.0 - diversity) * (1.0 - distances)
    chosen = [0]
    nearest = likenesses(0)
    left = np.ones(len(unit), bool)
    left[0] = False
    while len(chosen) < wanted:
        best = int(np.argmax(np.where(left, relevance - diversity * nearest, -np.inf)))
        chosen.append(best)
        left[best] = False
        nearest = np.maximum(nearest, likenesses(best))
    return chosen
