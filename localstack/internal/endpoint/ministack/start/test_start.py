"""start.py against a MiniStack that has only what is corrected."""

import json
import queue
import sys
import threading
import time
import types
import unittest

import start


def config(name: str) -> dict:
    return {"config": {"FunctionName": name, "FunctionArn": f"arn:aws:lambda:us-east-1:000000000000:function:{name}"}}


REQUEST = {"requestContext": {"http": {}}}
BALANCER = {"requestContext": {"elb": {}}}
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
        self.ministack.until({"api": start.REQUESTS})
        time.sleep(0.1)
        self.ministack.end.set()
        self.assertEqual(sorted(r["body"] for r in self.ministack.results()), list(range(200)))
        self.assertEqual(self.ministack.most, {"api": start.REQUESTS})

    def test_batches_wait_for_their_turns(self):
        for i in range(50):
            self.ministack.call("consumer", RECORDS, i)
        self.ministack.until({"consumer": start.OTHERS})
        time.sleep(0.1)
        self.ministack.end.set()
        self.assertEqual(len(self.ministack.results()), 50)
        self.assertEqual(self.ministack.most, {"consumer": start.OTHERS})

    def test_functions_that_wait_for_others_do_not_take_their_places(self):
        for i in range(3 * start.OTHERS):
            self.ministack.call("orders", {"calls": "catalog"}, i)
        self.ministack.until({"orders": start.OTHERS, "catalog": start.OTHERS})
        self.ministack.end.set()
        self.assertEqual(len(self.ministack.results()), 3 * start.OTHERS)

    def test_a_service_does_not_wait_behind_the_clients_of_another(self):
        for i in range(50):
            self.ministack.call("catalog", REQUEST, i)
        self.ministack.until({"catalog": start.REQUESTS})
        self.ministack.call("catalog", BALANCER, "a service")
        self.ministack.until({"catalog": start.REQUESTS + 1})

    def test_a_call_that_fails_gives_its_place_back(self):
        for i in range(2 * start.OTHERS):
            self.ministack.call("api", "fail", i)
        self.assertEqual([type(r) for r in self.ministack.results()], 2 * start.OTHERS * [RuntimeError])

    def test_a_request_that_does_not_get_its_turn(self):
        start.PATIENCE = 0.05
        for i in range(start.REQUESTS):
            self.ministack.call("api", REQUEST, i)
        self.ministack.until({"api": start.REQUESTS})
        refused = self.ministack._execute_function_provided_warm(config("api"), REQUEST, "late")
        self.assertEqual(refused["body"]["statusCode"], 503)
        self.assertEqual(refused["body"]["headers"]["Retry-After"], "1")
        self.assertEqual(json.loads(refused["body"]["body"]), {"message": "Service Unavailable"})
        self.assertNotIn("error", refused)

    def test_a_batch_that_does_not_get_its_turn_waits_on(self):
        start.PATIENCE = 0.05
        for i in range(start.OTHERS):
            self.ministack.call("consumer", RECORDS, i)
        self.ministack.until({"consumer": start.OTHERS})
        self.ministack.call("consumer", RECORDS, "the last")
        time.sleep(2 * start.PATIENCE)
        self.ministack.end.set()
        self.assertIn({"body": "the last"}, self.ministack.results())


class PollEach(unittest.TestCase):
    """Mappings by name, and what each poller found: a look at "broken" fails, one at
    "slow" does not end before the test does."""

    def setUp(self):
        self.mappings, self.looks, self.lock = ["queue", "slow"], [], threading.Lock()
        self.waiting, self.end = 0, threading.Event()
        self.lambda_svc = types.ModuleType("ministack.services.lambda_svc")
        self.lambda_svc._esm_wake = threading.Event()
        self.lambda_svc._iter_all_esms = lambda: (("account", "region", {"UUID": name}) for name in list(self.mappings))
        self.lambda_svc._poll_loop = lambda: self.fail("it polls as before")
        self.lambda_svc._poll_sqs = self.look
        self.lambda_svc._poll_kinesis = self.lambda_svc._poll_dynamodb_streams = lambda: False
        self.addCleanup(self.lambda_svc._esm_wake.set)
        self.addCleanup(self.mappings.clear)
        self.addCleanup(self.end.set)
        start.poll_each(self.lambda_svc)

    def look(self):
        names = [mapping["UUID"] for _, _, mapping in self.lambda_svc._iter_all_esms()]
        with self.lock:
            self.looks += names
        if names == ["slow"]:
            self.end.wait(timeout=5)
        if names == ["broken"]:
            raise RuntimeError("broken on purpose")
        with self.lock:
            found = self.waiting > 0
            self.waiting -= found
        return found

    def begin(self):
        threading.Thread(target=self.lambda_svc._poll_loop, daemon=True).start()

    def until(self, what, condition):
        deadline = time.monotonic() + 5
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"{what}: {self.looks}")
            time.sleep(0.001)

    def test_a_slow_one_holds_up_no_other(self):
        self.begin()
        self.until("a look at the slow one", lambda: "slow" in self.looks)
        self.waiting = 50
        self.lambda_svc._esm_wake.set()
        self.until("all messages to be taken", lambda: self.waiting == 0)
        self.assertEqual(self.looks.count("slow"), 1)

    def test_news_are_looked_at_at_once(self):
        self.begin()
        self.until("a first look", lambda: "queue" in self.looks)
        for _ in range(20):
            time.sleep(0.03)
            self.waiting = 1
            began = time.monotonic()
            self.lambda_svc._esm_wake.set()
            self.until("the message to be taken", lambda: self.waiting == 0)
            self.assertLess(time.monotonic() - began, 0.5)

    def test_mappings_come_and_go(self):
        self.begin()
        self.mappings.append("new")
        self.lambda_svc._esm_wake.set()
        self.until("a look at the new one", lambda: "new" in self.looks)
        self.mappings.remove("queue")
        self.lambda_svc._esm_wake.set()
        self.until("its thread to end", lambda: "poll queue" not in [thread.name for thread in threading.enumerate()])

    def test_a_look_that_fails_is_made_again(self):
        hook, threading.excepthook = threading.excepthook, lambda _: None  # which prints them
        self.addCleanup(setattr, threading, "excepthook", hook)
        self.mappings.append("broken")
        self.begin()
        self.until("another look", lambda: self.looks.count("broken") > 1)
        self.mappings.clear()
        self.until("its thread to end", lambda: "poll broken" not in [thread.name for thread in threading.enumerate()])


class ReadLogs(unittest.TestCase):
    def setUp(self):
        class Worker:
            def _drain_stderr_bounded(self, first_line_wait=0.05, idle_confirm=0.005, hard_cap=0.25):
                raise AssertionError("it reads as before")

        start.read_logs(Worker)
        self.worker = Worker()
        self.worker._stderr_queue = queue.Queue()

    def test_lines_that_come_one_after_the_other(self):
        def write():
            for line in ("a", "b", "c"):
                time.sleep(0.02)
                self.worker._stderr_queue.put(line)

        threading.Thread(target=write).start()
        self.assertEqual(self.worker._drain_stderr_bounded(first_line_wait=5, idle_confirm=0.2, hard_cap=10), "a\nb\nc")

    def test_a_function_that_logs_nothing(self):
        began = time.monotonic()
        self.assertEqual(self.worker._drain_stderr_bounded(), "")
        self.assertLess(time.monotonic() - began, 1)

    def test_a_function_that_does_not_stop_logging(self):
        for i in range(100_000):
            self.worker._stderr_queue.put(str(i))
        lines = self.worker._drain_stderr_bounded(hard_cap=0.01).split("\n")
        self.assertTrue(0 < len(lines) < 100_000)


class CheckOnce(unittest.TestCase):
    def test_the_same_condition_is_checked_once(self):
        checked = []

        def check(expr, slot):
            checked.append((expr, slot))
            if expr == "bad":
                raise ValueError(expr)

        dynamodb = types.ModuleType("dynamodb")
        dynamodb._condition_syntax_error = check
        start.check_once(dynamodb)
        for expr, slot in [("a = :b", "x"), ("a = :b", "x"), ("a = :b", "y"), ("bad", "x"), ("bad", "x")]:
            try:
                self.assertIsNone(dynamodb._condition_syntax_error(expr, slot))
            except ValueError:
                pass
        self.assertEqual(checked, [("a = :b", "x"), ("a = :b", "y"), ("bad", "x"), ("bad", "x")])


class AnotherVersion(unittest.TestCase):
    def test_without_what_is_corrected(self):
        for correct in (start.take_turns, start.poll_each, start.read_logs, start.check_once):
            with self.subTest(correct.__name__), self.assertRaisesRegex(SystemExit, r"MiniStack has no ministack.part._?\w+\(.*requirements.txt"):
                correct(types.ModuleType("ministack.part"))

    def test_with_other_parameters(self):
        lambda_svc = types.ModuleType("ministack.services.lambda_svc")
        lambda_svc._execute_function_provided_warm = lambda func, event: None
        with self.assertRaisesRegex(SystemExit, "requirements.txt"):
            start.take_turns(lambda_svc)

    def test_ends_the_start(self):
        names = "ministack ministack.app ministack.core ministack.core.lambda_runtime ministack.services ministack.services.dynamodb ministack.services.lambda_svc"
        for name in names.split():
            sys.modules[name] = types.ModuleType(name)
            self.addCleanup(sys.modules.pop, name)
            parent, _, child = name.rpartition(".")
            if parent:
                setattr(sys.modules[parent], child, sys.modules[name])
        sys.modules["ministack.core.lambda_runtime"].Worker = type("Worker", (), {})
        sys.modules["ministack.app"].main = lambda: self.fail("it has started")
        with self.assertRaises(SystemExit):
            start.main()


if __name__ == "__main__":
    unittest.main()
