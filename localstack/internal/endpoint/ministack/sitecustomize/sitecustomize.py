"""Python loads this module by itself at start, from the endpoint's PYTHONPATH.

The endpoint hands each event to a function over a socket server that leaves
Nagle's algorithm on; together with delayed acknowledgements this adds 40 ms to
every invocation.
"""

import os
import socketserver

socketserver.StreamRequestHandler.disable_nagle_algorithm = True

if os.environ.get("TRADEWIND_CALLS"):
    import calls  # noqa: F401
