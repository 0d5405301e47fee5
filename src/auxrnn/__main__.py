"""`python -m auxrnn` is `auxrnn`."""

from auxrnn.cli import main

raise SystemExit(main())
