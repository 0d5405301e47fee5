"""Numbers as files write them, arrays as people pass them, and exact moments."""
