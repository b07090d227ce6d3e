"""Results for people: tree, prose, tables; drawn from documents, never from remote text as it came."""
