"""Results for people: the tree, the prose of `explain`, tables; drawn from documents, never from remote text as it came."""
