"""Starts MiniStack, with corrections of what it has no setting for.

A correction that no longer finds its place ends the start, so that none is lost when
MiniStack changes.
"""

import inspect
import json
import socketserver
import sys
import threading
from collections import defaultdict

# AT_ONCE is how many calls of one function run at a time. Each has a process of its own,
# and more of them than this do not get more done on a few cores; MiniStack takes as many
# batches of a queue at a time. The limit is a function's, not the endpoint's: a function
# that waits for another one's answer holds its own place, and would wait for ever if the
# other needed the same.
AT_ONCE = 5

# PATIENCE is how long a request waits for its turn, in seconds. The gateway gives up
# after 29, and a request needs some of that for its work.
PATIENCE = 25


def main() -> None:
    from ministack import app
    from ministack.services import lambda_svc

    answer_at_once()
    take_turns(lambda_svc)
    app.main()


def answer_at_once() -> None:
    """Events are handed to functions over a socket server that leaves Nagle's algorithm
    on; together with delayed acknowledgements this adds 40 ms to every invocation."""
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True


def take_turns(lambda_svc) -> None:
    """A process is started for each call that finds the others at work, without limit:
    200 orders at once made 559 processes with 5.4 GB, and none was answered in time. Now
    a call waits until fewer than AT_ONCE of its function are at work. It waits in the
    thread that was made for it, and its time begins when it starts. A request that does
    not get its turn in time is answered as AWS's gateway answers a throttled one. Others
    wait longer: a batch of a queue that is refused comes back minutes later."""
    places, lock = defaultdict(lambda: threading.BoundedSemaphore(AT_ONCE)), threading.Lock()

    def execute(func, event, request_id):
        with lock:
            place = places[(func.get("config") or func)["FunctionArn"]]
        if not place.acquire(timeout=PATIENCE if is_request(event) else None):
            return unavailable()
        try:
            return original(func, event, request_id)
        finally:
            place.release()

    original = replace(lambda_svc, "_execute_function_provided_warm", execute)


def is_request(event) -> bool:
    """Tells a gateway's or a balancer's event from a queue's, a stream's or a schedule's."""
    return isinstance(event, dict) and "requestContext" in event


def unavailable() -> dict:
    return {
        "body": {
            "statusCode": 503,
            "headers": {"Content-Type": "application/json", "Retry-After": "1"},
            "body": json.dumps({"message": "Service Unavailable"}),
        }
    }


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


if __name__ == "__main__":
    main()
