"""``python -m spotsafe`` is the ``spotsafe`` command."""

import sys

from spotsafe.cli.main import main

sys.exit(main())
