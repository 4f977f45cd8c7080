"""Makes MiniStack heed what a function answers of a stream's records.

It takes every answer for a success: a record that a function reports as failed is never
delivered again. AWS delivers it and all behind it again, or the whole batch if the answer
names no record of it (recorded on 2025-11-25, see localstack/differences.md).
"""

import threading


def heed_failures(lambda_svc, replace) -> None:
    """The poller filters a batch, invokes the function with what is left and, if that was
    no error, moves its position behind the batch. So the position is moved here, to the
    record that failed, and the poller is told that the invocation was an error."""
    polled = threading.local()

    def apply_filter(records, esm):
        polled.records, polled.esm = records, esm
        polled.kept = filter_criteria(records, esm)
        return polled.kept

    def execute(func, event):
        result = execute_function(func, event)
        kept = getattr(polled, "kept", None)
        if kept is None or event.get("Records") is not kept or result.get("error") or not reports(polled.esm):
            return result
        failed = first_failure(result.get("body"), kept)
        if failed is None:
            return result
        done = next(i for i, record in enumerate(polled.records) if record is kept[failed])
        with lambda_svc._dynamodb_stream_positions_lock:
            lambda_svc._dynamodb_stream_positions[polled.esm["UUID"]] += done
        return result | {"error": True}

    filter_criteria = replace(lambda_svc, "_apply_filter_criteria", apply_filter)
    execute_function = replace(lambda_svc, "_execute_function", execute)


def reports(esm: dict) -> bool:
    return ":dynamodb:" in esm["EventSourceArn"] and "ReportBatchItemFailures" in esm.get("FunctionResponseTypes", [])


def first_failure(answer, records) -> int | None:
    """Returns which record the answer names; the first of several, and the first of all
    for one that is none of them."""
    failures = answer.get("batchItemFailures") if isinstance(answer, dict) else None
    if not failures:
        return None
    places = {record["dynamodb"]["SequenceNumber"]: i for i, record in enumerate(records)}
    return min(places.get(failure.get("itemIdentifier"), 0) for failure in failures)
