"""Runs every case against the endpoint of the environment: one JSON line a case, exit code 1 when one failed."""

import buckets  # noqa: F401
import checksums  # noqa: F401
import conditions  # noqa: F401
import copies  # noqa: F401
import forms  # noqa: F401
import listings  # noqa: F401
import multipart  # noqa: F401
import objects  # noqa: F401
import presigned  # noqa: F401
from harness import main

main()
