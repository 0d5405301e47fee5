"""Files and folders written whole or not at all, numbers as files write them, locks, and processes."""
