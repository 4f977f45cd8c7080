"""What a function can rely on, and what becomes of one that misbehaves."""

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock

from tradewind_plugins import process
from tradewind_plugins.process import Config, Environment

FUNCTION = os.path.join(os.path.dirname(__file__), "function.py")
VARIABLES = {"PATH": os.environ["PATH"], "TABLE_NAME": "orders"}


class ProcessTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def environment(self, timeout=10.0, **variables) -> Environment:
        program = os.path.join(self.folder, "bootstrap")
        if not os.path.exists(program):
            with open(FUNCTION) as source, open(program, "w") as copy:
                copy.write(f"#!{sys.executable}\n" + source.read())
            os.chmod(program, 0o755)
        e = Environment(Config(self.folder, {**VARIABLES, **variables}, timeout, 256, "3"))
        self.addCleanup(e.stop)
        return e

    def ask(self, e: Environment, request_id="r-1", **event):
        return e.invoke(request_id, json.dumps(event).encode(), "arn:of:it", "Root=1")

    def answer(self, e: Environment, **event):
        result = self.ask(e, **event)
        self.assertFalse(result.is_error, result)
        return json.loads(result.payload)

    def problem(self, result, kind: str, text: str):
        self.assertTrue(result.is_error, result)
        problem = json.loads(result.payload)
        self.assertEqual(problem["errorType"], kind, result)
        self.assertIn(text, problem["errorMessage"])

    def eventually(self, check):
        for _ in range(500):
            if check():
                return
            time.sleep(0.01)
        self.fail("in vain")

    def test_a_process_serves_many_invocations(self):
        e = self.environment()
        e.start()
        pid = e.pid
        self.assertEqual([self.answer(e)["pid"] for _ in range(3)], [pid] * 3)

    def test_what_it_is_told(self):
        e = self.environment(timeout=5.0)
        got = self.answer(e)
        headers = got["headers"]
        self.assertEqual(headers["lambda-runtime-aws-request-id"], "r-1")
        self.assertEqual(headers["lambda-runtime-invoked-function-arn"], "arn:of:it")
        self.assertEqual(headers["lambda-runtime-trace-id"], "Root=1")
        left = int(headers["lambda-runtime-deadline-ms"]) / 1000 - time.time()
        self.assertTrue(2 < left <= 5, left)
        self.assertEqual(os.path.realpath(got["in"]), os.path.realpath(self.folder))
        env = got["env"]
        self.assertRegex(env.pop("AWS_LAMBDA_RUNTIME_API"), r"^127\.0\.0\.1:\d+$")
        for own in ("LC_CTYPE", "__CF_USER_TEXT_ENCODING"):  # Python's
            env.pop(own, None)
        self.assertEqual(env, VARIABLES)

    def test_the_log(self):
        e = self.environment()
        first = self.ask(e, do="say", text="one").logs
        self.assertRegex(
            first,
            r"(?s)^START RequestId: r-1 Version: 3\nhello from \d+\none\nEND RequestId: r-1\n"
            r"REPORT RequestId: r-1\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB\t"
            r"Max Memory Used: [1-9]\d* MB\tInit Duration: [\d.]+ ms\n$",
        )
        second = self.ask(e, do="say", text="two", request_id="r-2").logs
        self.assertIn("START RequestId: r-2 Version: 3\ntwo\nEND", second)
        self.assertNotIn("Init Duration", second)

    def test_a_talkative_function_is_not_held_up(self):
        logs = self.ask(self.environment(), do="say", text="x" * 900_000).logs
        self.assertIn("x" * 900_000, logs)

    def test_an_error_is_the_function_s_own(self):
        e = self.environment()
        self.problem(self.ask(e, do="fail"), "Boom", "on purpose")
        self.answer(e)

    def test_a_timeout_ends_the_process(self):
        e = self.environment(timeout=0.5)
        e.start()
        pid = e.pid
        began = time.monotonic()
        self.problem(self.ask(e, do="sleep", seconds=30), "Sandbox.Timedout", "r-1 Error: Task timed out after 0.50 seconds")
        self.assertLess(time.monotonic() - began, 20)
        self.assertNotEqual(self.answer(e)["pid"], pid)

    def test_a_crash(self):
        e = self.environment()
        result = self.ask(e, do="exit", code=3)
        self.problem(result, "Runtime.ExitError", "Runtime exited with error: exit status 3")
        self.assertIn("hello from", result.logs)
        again = self.ask(e)
        self.assertFalse(again.is_error)
        self.assertIn("Init Duration", again.logs)

    def test_killed_at_work(self):
        e = self.environment()
        e.start()
        threading.Timer(0.2, os.kill, (e.pid, signal.SIGKILL)).start()
        self.problem(self.ask(e, do="sleep", seconds=30), "Runtime.ExitError", "signal: killed")
        self.answer(e)

    def test_killed_between_two_invocations(self):
        e = self.environment()
        e.start()
        os.kill(e.pid, signal.SIGKILL)
        self.eventually(lambda: e.pid is None)
        self.answer(e)

    def test_an_initialisation_that_fails(self):
        for how, kind, text in (
            ("exit", "Runtime.ExitError", "exit status 7"),
            ("error", "Boom", "no configuration"),
            ("hang", "Sandbox.Timedout", "Init timed out"),
        ):
            patience = 2.0 if how == "hang" else 30.0
            with self.subTest(how), unittest.mock.patch.object(process, "INIT_TIMEOUT", patience):
                e = self.environment(START=how)
                e.start()  # is tried again by the invocation, which tells
                result = self.ask(e)
                self.problem(result, kind, text)
                self.assertIn("hello from", result.logs)

    def test_a_program_that_is_not_one(self):
        with open(os.path.join(self.folder, "bootstrap"), "w") as f:
            f.write("nothing")
        self.problem(self.ask(self.environment()), "Runtime.InvalidEntrypoint", "Permission denied")
        os.remove(os.path.join(self.folder, "bootstrap"))
        e = Environment(Config(self.folder, VARIABLES, 1.0, 256))
        self.problem(self.ask(e), "Runtime.InvalidEntrypoint", "No such file")

    def test_an_answer_that_is_too_large(self):
        e = self.environment()
        first = self.ask(e, do="large", size=process.MAX_RESPONSE)
        self.problem(first, "Function.ResponseSizeTooLarge", "exceeded")
        # What it says after its answer is in the log of that invocation or of the next.
        self.assertIn("told 413", first.logs + self.ask(e).logs)
        self.assertFalse(self.ask(e, do="large", size=process.MAX_RESPONSE - 2).is_error)

    def test_an_answer_in_chunks(self):
        self.assertEqual(self.answer(self.environment(), do="chunks"), "one two")

    def test_environments_work_side_by_side(self):
        all_of_them = [self.environment() for _ in range(4)]
        for e in all_of_them:
            e.start()
        began = time.monotonic()
        threads = [threading.Thread(target=self.ask, args=(e,), kwargs={"do": "sleep", "seconds": 2}) for e in all_of_them]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertLess(time.monotonic() - began, 7)

    def test_what_a_function_leaves_behind_holds_nothing_up(self):
        e = self.environment()
        self.ask(e, do="child")
        self.eventually(lambda: e.pid is None)
        self.answer(e)

    def test_stop_ends_the_work(self):
        e = self.environment()
        e.start()
        threading.Timer(0.2, e.stop).start()
        self.problem(self.ask(e, do="sleep", seconds=30), "Runtime.ExitError", "signal: killed")
        self.assertIsNone(e.pid)


if __name__ == "__main__":
    unittest.main()
