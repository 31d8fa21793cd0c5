"""From affinities to objects: fragments, the graph of their edges, agglomeration, mutex."""
