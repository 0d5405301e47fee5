"""Many runs: who makes which, in what processes, and what came of them."""
