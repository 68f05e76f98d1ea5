"""`python -m memcon.verify`, and the entry of memcon-verify.pyz."""

from __future__ import annotations

import sys

from memcon.verify.main import main

sys.exit(main())
