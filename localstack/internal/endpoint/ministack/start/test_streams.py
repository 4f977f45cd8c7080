"""streams.py against a MiniStack that has only what is corrected."""

import threading
import types
import unittest

import streams

MAPPING = {"UUID": "m", "EventSourceArn": "arn:aws:dynamodb:::table/t/stream/s", "FunctionResponseTypes": ["ReportBatchItemFailures"]}


def record(number: int, name: str = "INSERT") -> dict:
    return {"eventName": name, "dynamodb": {"SequenceNumber": str(number)}}


def failures(*identifiers) -> dict:
    return {"batchItemFailures": [{"itemIdentifier": i} for i in identifiers]}


class MiniStack(types.ModuleType):
    """Its poller is MiniStack's as far as it matters: one batch a pass, and behind it if
    the function does not fail."""

    def __init__(self, mapping=MAPPING):
        super().__init__("ministack.services.lambda_svc")
        self.mapping, self.answer, self.fails, self.batches = mapping, {}, False, []
        self._dynamodb_stream_positions, self._dynamodb_stream_positions_lock = {"m": 0}, threading.Lock()
        self._apply_filter_criteria = lambda records, esm: [r for r in records if r["eventName"] == "INSERT"]
        self._execute_function = lambda func, event: self.run(event)
        streams.heed_failures(self, replace)

    def run(self, event):
        self.batches.append([r["dynamodb"]["SequenceNumber"] for r in event["Records"]])
        return {"body": self.answer} | ({"error": True} if self.fails else {})

    def poll(self, stream):
        at = self._dynamodb_stream_positions["m"]
        raw = stream[at:]
        batch = self._apply_filter_criteria(raw, self.mapping)
        if not self._execute_function({}, {"Records": batch}).get("error"):
            self._dynamodb_stream_positions["m"] = at + len(raw)
        return self._dynamodb_stream_positions["m"]


def replace(module, name, replacement):
    original = getattr(module, name)
    setattr(module, name, replacement)
    return original


class HeedFailures(unittest.TestCase):
    def setUp(self):
        self.stream = [record(1), record(2, "MODIFY"), record(3), record(4, "REMOVE"), record(5)]

    def test_again_from_the_first_that_failed(self):
        ministack = MiniStack()
        for failed, at in (("3", 2), ("5", 4), ("5", 4)):
            ministack.answer = failures(failed)
            self.assertEqual(ministack.poll(self.stream), at)
        ministack.answer = failures()
        self.assertEqual(ministack.poll(self.stream), 5)
        self.assertEqual(ministack.batches, [["1", "3", "5"], ["3", "5"], ["5"], ["5"]])

    def test_the_lowest_of_several(self):
        ministack = MiniStack()
        ministack.answer = failures("5", "3")
        self.assertEqual(ministack.poll(self.stream), 2)

    def test_the_whole_batch(self):
        for answer in (failures(""), failures(None), failures(123), failures("2"), {"batchItemFailures": [{"other": "3"}]}, failures("5", "")):
            with self.subTest(answer):
                ministack = MiniStack()
                ministack.answer = answer
                self.assertEqual(ministack.poll(self.stream), 0)

    def test_success(self):
        for answer in ({}, None, [], "", failures(), {"batchItemFailures": None}):
            with self.subTest(answer):
                ministack = MiniStack()
                ministack.answer = answer
                self.assertEqual(ministack.poll(self.stream), 5)

    def test_what_is_none_of_its_business(self):
        for mapping in (MAPPING | {"FunctionResponseTypes": []}, MAPPING | {"EventSourceArn": "arn:aws:kinesis:::stream/s"}):
            with self.subTest(mapping):
                ministack = MiniStack(mapping)
                ministack.answer = failures("3")
                self.assertEqual(ministack.poll(self.stream), 5)
        ministack = MiniStack()
        ministack.answer, ministack.fails = failures("3"), True
        self.assertEqual(ministack.poll(self.stream), 0)
        ministack.answer, ministack.fails = failures("1"), False
        self.assertNotIn("error", ministack._execute_function({}, {"Records": [record(1)]}))


if __name__ == "__main__":
    unittest.main()
