"""start.py against a MiniStack that has only what is corrected."""

import json
import sys
import threading
import time
import types
import unittest

import start


def config(name: str) -> dict:
    return {"config": {"FunctionName": name, "FunctionArn": f"arn:aws:lambda:us-east-1:000000000000:function:{name}"}}


REQUEST = {"requestContext": {"http": {}}}
RECORDS = {"Records": []}


class MiniStack(types.ModuleType):
    """Its functions work until they are told to end, and count how many do at a time."""

    def __init__(self):
        super().__init__("ministack.services.lambda_svc")
        self.lock, self.end = threading.Lock(), threading.Event()
        self.at_work, self.most, self.calls = {}, {}, []
        self._execute_function_provided_warm = self.execute

    def execute(self, func, event, request_id):
        name = func["config"]["FunctionName"]
        with self.lock:
            self.at_work[name] = self.at_work.get(name, 0) + 1
            self.most[name] = max(self.most.get(name, 0), self.at_work[name])
        if event == "fail":
            self.leave(name)
            raise RuntimeError("broken on purpose")
        if isinstance(event, dict) and "calls" in event:
            result = self._execute_function_provided_warm(config(event["calls"]), RECORDS, request_id)
        else:
            self.end.wait(timeout=5)
            result = {"body": request_id}
        self.leave(name)
        return result

    def leave(self, name):
        with self.lock:
            self.at_work[name] -= 1

    def call(self, name, event, request_id):
        results = []

        def run():
            try:
                results.append(self._execute_function_provided_warm(config(name), event, request_id))
            except RuntimeError as error:
                results.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.calls.append((thread, results))

    def results(self):
        deadline = time.monotonic() + 5
        for thread, _ in self.calls:
            thread.join(timeout=max(0, deadline - time.monotonic()))
        return [result for _, results in self.calls for result in results]

    def until(self, at_work):
        deadline = time.monotonic() + 5
        while self.at_work != at_work:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.at_work} at work, not {at_work}")
            time.sleep(0.001)


class TakeTurns(unittest.TestCase):
    def setUp(self):
        self.ministack = MiniStack()
        start.take_turns(self.ministack)
        self.addCleanup(self.ministack.end.set)
        self.addCleanup(setattr, start, "PATIENCE", start.PATIENCE)

    def test_a_burst_waits_for_its_turns(self):
        for i in range(200):
            self.ministack.call("api", REQUEST, i)
        self.ministack.until({"api": start.AT_ONCE})
        time.sleep(0.1)
        self.ministack.end.set()
        self.assertEqual(sorted(r["body"] for r in self.ministack.results()), list(range(200)))
        self.assertEqual(self.ministack.most, {"api": start.AT_ONCE})

    def test_functions_that_wait_for_others_do_not_take_their_places(self):
        for i in range(3 * start.AT_ONCE):
            self.ministack.call("orders", {"calls": "catalog"}, i)
        self.ministack.until({"orders": start.AT_ONCE, "catalog": start.AT_ONCE})
        self.ministack.end.set()
        self.assertEqual(len(self.ministack.results()), 3 * start.AT_ONCE)

    def test_a_call_that_fails_gives_its_place_back(self):
        for i in range(2 * start.AT_ONCE):
            self.ministack.call("api", "fail", i)
        self.assertEqual([type(r) for r in self.ministack.results()], 2 * start.AT_ONCE * [RuntimeError])

    def test_a_request_that_does_not_get_its_turn(self):
        start.PATIENCE = 0.05
        for i in range(start.AT_ONCE):
            self.ministack.call("api", REQUEST, i)
        self.ministack.until({"api": start.AT_ONCE})
        refused = self.ministack._execute_function_provided_warm(config("api"), REQUEST, "late")
        self.assertEqual(refused["body"]["statusCode"], 503)
        self.assertEqual(refused["body"]["headers"]["Retry-After"], "1")
        self.assertEqual(json.loads(refused["body"]["body"]), {"message": "Service Unavailable"})
        self.assertNotIn("error", refused)
        self.ministack.call("api", RECORDS, "a batch")
        time.sleep(2 * start.PATIENCE)
        self.ministack.end.set()
        self.assertIn({"body": "a batch"}, self.ministack.results())


class AnotherVersion(unittest.TestCase):
    def test_without_the_function(self):
        with self.assertRaisesRegex(SystemExit, "has no ministack.services.lambda_svc._execute_function_provided_warm"):
            start.take_turns(types.ModuleType("ministack.services.lambda_svc"))

    def test_with_other_parameters(self):
        ministack = types.ModuleType("ministack.services.lambda_svc")
        ministack._execute_function_provided_warm = lambda func, event: None
        with self.assertRaisesRegex(SystemExit, "requirements.txt"):
            start.take_turns(ministack)

    def test_ends_the_start(self):
        ministack, app = types.ModuleType("ministack"), types.ModuleType("ministack.app")
        services, lambda_svc = types.ModuleType("ministack.services"), types.ModuleType("ministack.services.lambda_svc")
        ministack.app, services.lambda_svc = app, lambda_svc
        app.main = lambda: self.fail("it has started")
        for module in (ministack, app, services, lambda_svc):
            sys.modules[module.__name__] = module
            self.addCleanup(sys.modules.pop, module.__name__)
        with self.assertRaises(SystemExit):
            start.main()


if __name__ == "__main__":
    unittest.main()
