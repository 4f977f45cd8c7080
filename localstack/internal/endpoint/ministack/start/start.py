"""Starts MiniStack, with corrections of what it has no setting for.

A correction that no longer finds its place ends the start, so that none is lost when
MiniStack changes.
"""

import functools
import inspect
import json
import os
import queue
import socketserver
import sys
import threading
import time
from collections import defaultdict

import streams

# How many calls of one function run at a time. Each has a process of its own, and more of
# them do not get more done on a few cores. Requests at the gateway get fewer places than
# batches of queues, of which MiniStack takes up to five, and than calls by the balancer:
# otherwise more orders are accepted than are decided, and a service waits for another one
# behind its clients. The limits are a function's, not the endpoint's: a function that waits
# for another one's answer keeps its place, and would wait for ever if the other needed it.
REQUESTS = 4
OTHERS = 5

# PATIENCE is how long a request waits for its turn, in seconds. The gateway gives up
# after 29, and a request needs some of that for its work.
PATIENCE = 25

# PAUSE is the time between two looks at all queues and streams, in seconds.
PAUSE = 0.02


def main() -> None:
    if os.environ.get("TRADEWIND_CALLS"):
        import calls  # noqa: F401  Before MiniStack, whose modules it changes as they are loaded.
    from ministack import app
    from ministack.core import lambda_runtime
    from ministack.services import dynamodb, lambda_svc

    answer_at_once()
    take_turns(lambda_svc)
    streams.heed_failures(lambda_svc, replace)
    poll_each(lambda_svc)
    read_logs(lambda_runtime.Worker)
    check_once(dynamodb)
    app.main()


def answer_at_once() -> None:
    """Events are handed to functions over a socket server that leaves Nagle's algorithm
    on; together with delayed acknowledgements this adds 40 ms to every invocation."""
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True


def take_turns(lambda_svc) -> None:
    """A process is started for each call that finds the others at work, without limit:
    200 orders at once made 559 processes with 5.4 GB, and none was answered in time. Now
    a call waits for its turn, in the thread that was made for it, and its time begins when
    it starts. A request that does not get its turn in time is answered as AWS's gateway
    answers a throttled one. Others wait longer: a batch of a queue that is refused comes
    back minutes later."""
    lock = threading.Lock()
    requests = defaultdict(lambda: threading.BoundedSemaphore(REQUESTS))
    others = defaultdict(lambda: threading.BoundedSemaphore(OTHERS))

    def execute(func, event, request_id):
        request = from_gateway(event)
        with lock:
            place = (requests if request else others)[(func.get("config") or func)["FunctionArn"]]
        if not place.acquire(timeout=PATIENCE if request else None):
            return unavailable()
        try:
            return original(func, event, request_id)
        finally:
            place.release()

    original = replace(lambda_svc, "_execute_function_provided_warm", execute)


def from_gateway(event) -> bool:
    """Tells a request at the gateway from any other event, a balancer's included."""
    return isinstance(event, dict) and "http" in event.get("requestContext", {})


def unavailable() -> dict:
    return {
        "body": {
            "statusCode": 503,
            "headers": {"Content-Type": "application/json", "Retry-After": "1"},
            "body": json.dumps({"message": "Service Unavailable"}),
        }
    }


def poll_each(lambda_svc) -> None:
    """One thread looks after all queues and streams. It takes one batch of each in turn
    and waits for every relay, so that under load orders were taken five times as fast as
    they were decided. Now each event source mapping has a thread, as it has pollers of its
    own on AWS."""
    own = threading.local()
    news, count = threading.Condition(), 0

    def mappings():
        return (entry for entry in original() if entry[2]["UUID"] == own.mapping)

    def poll(mapping):
        own.mapping = mapping
        while list(mappings()):
            seen = count
            found = [look() for look in (lambda_svc._poll_sqs, lambda_svc._poll_kinesis, lambda_svc._poll_dynamodb_streams)]
            if not any(found):
                with news:
                    news.wait_for(lambda: count != seen, timeout=1)

    def poll_loop():
        nonlocal count
        pollers = {}
        while True:
            lambda_svc._esm_wake.wait(timeout=1)
            lambda_svc._esm_wake.clear()
            for _, _, mapping in original():
                name = mapping["UUID"]
                if name not in pollers or not pollers[name].is_alive():
                    pollers[name] = threading.Thread(target=poll, args=(name,), name=f"poll {name}", daemon=True)
                    pollers[name].start()
            with news:
                count += 1
                news.notify_all()
            time.sleep(PAUSE)

    original = replace(lambda_svc, "_iter_all_esms", mappings)
    replace(lambda_svc, "_poll_loop", poll_loop)


def read_logs(worker) -> None:
    """After each call its log is read by looking every millisecond whether there is more.
    This waits just as long, for a line to come."""

    def read(self, first_line_wait=0.05, idle_confirm=0.005, hard_cap=0.25):
        lines, end, wait = [], time.monotonic() + hard_cap, first_line_wait
        try:
            while time.monotonic() < end:
                lines.append(self._stderr_queue.get(timeout=wait))
                wait = idle_confirm
        except queue.Empty:
            pass
        return "\n".join(lines)

    replace(worker, "_drain_stderr_bounded", read)


def check_once(dynamodb) -> None:
    """The grammar of a condition is checked with every write, and there are few of them."""

    @functools.lru_cache(maxsize=1024)
    def check(expr, slot):
        return original(expr, slot)

    original = replace(dynamodb, "_condition_syntax_error", check)


def replace(owner, name: str, replacement):
    """Puts a function in another one's place, which must have the same parameters, and
    returns that one."""
    original = getattr(owner, name, None)
    if original is None or parameters(original) != parameters(replacement):
        sys.exit(
            f"MiniStack has no {owner.__name__}.{name}{parameters(replacement)} any more: install the version "
            f"that requirements.txt names (make tools), or adapt {__file__} to this one"
        )
    setattr(owner, name, replacement)
    return original


def parameters(function) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


if __name__ == "__main__":
    main()
