"""Python loads this module by itself at start, from the endpoint's PYTHONPATH.

It corrects what the endpoint has no setting for.
"""

import inspect
import os
import socketserver
import sys

from ministack.services import lambda_svc

import streams


def replace(module, name: str, replacement):
    """Puts a function in another one's place, which must have the same parameters, and
    returns that one."""
    original = getattr(module, name, None)
    if original is None or parameters(original) != parameters(replacement):
        sys.exit(
            f"MiniStack has no {module.__name__}.{name}{parameters(replacement)} any more: install the version "
            f"that requirements.txt names (make tools), or adapt {__file__} to this one"
        )
    setattr(module, name, replacement)
    return original


def parameters(function) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


# The endpoint hands each event to a function over a socket server that leaves Nagle's
# algorithm on; together with delayed acknowledgements this adds 40 ms to every invocation.
socketserver.StreamRequestHandler.disable_nagle_algorithm = True

if os.environ.get("TRADEWIND_CALLS"):
    import calls  # noqa: F401
streams.heed_failures(lambda_svc, replace)
