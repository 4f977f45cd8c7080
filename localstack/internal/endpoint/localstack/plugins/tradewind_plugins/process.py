"""One execution environment of a function: its process, and the Runtime API it talks to.

A process that ends in any other way than Lambda's is not an error of this program:
the invocation at work fails as it would on AWS, and the next one finds a new process.

Standard library only, so that its tests need no LocalStack.
"""

import dataclasses
import http.server
import json
import os
import select
import signal
import subprocess
import threading
import time

INIT_TIMEOUT = 10.0  # seconds, Lambda's own
MAX_RESPONSE = 6 * 1024 * 1024 + 100  # bytes of an answer, Lambda's own
MAX_LOG = 1024 * 1024  # bytes of one invocation's log that are kept


@dataclasses.dataclass(frozen=True)
class Config:
    """What an environment runs, and within which limits."""

    folder: str  # holds the program "bootstrap"
    variables: dict[str, str]  # the whole environment, but for the Runtime API's address
    timeout: float  # seconds
    memory: int  # MB, only told: a process gets what it takes
    version: str = "$LATEST"


@dataclasses.dataclass(frozen=True)
class Result:
    """How an invocation ended."""

    payload: bytes
    is_error: bool
    logs: str


Outcome = tuple[bytes, bool]  # of an invocation: what it answered, and whether that is an error


@dataclasses.dataclass
class _Invocation:
    """An invocation on its way."""

    id: str
    arn: str
    trace: str
    event: bytes
    deadline: float  # seconds since the epoch
    taken: bool = False
    payload: bytes | None = None
    is_error: bool = False


class Environment:
    """A sequence of processes, one at a time, that run one invocation at a time."""

    def __init__(self, config: Config):
        self._config = config
        self._process: _Process | None = None
        self._lock = threading.Lock()  # of invocations
        self._stopped = False
        self._init: float | None = None  # seconds it took, until it is reported

    def start(self) -> None:
        """Starts a process ahead of the first invocation. One that fails is tried
        once more by that invocation, which then reports the failure, as on AWS."""
        with self._lock:
            self._running("")

    def invoke(self, request_id: str, event: bytes, arn: str, trace: str = "") -> Result:
        """Runs one invocation to its end, whatever that is."""
        with self._lock:
            began = time.monotonic()
            process, outcome = self._running(request_id)
            if outcome is None:
                began = time.monotonic()
                deadline = time.time() + self._config.timeout
                outcome = process.run(_Invocation(request_id, arn, trace, event, deadline), self._config.timeout)
            took = time.monotonic() - began
            return Result(*outcome, self._log(request_id, process, took))

    def stop(self) -> None:
        """Ends the process at once, and the invocation at work with it."""
        self._stopped = True
        if process := self._process:
            process.kill()

    @property
    def pid(self) -> int | None:
        """The process, if one runs."""
        process = self._process
        return process.popen.pid if process and process.alive() else None

    def _running(self, request_id: str) -> tuple["_Process", Outcome | None]:
        """The process and, if it did not start, the outcome of an invocation that needs it."""
        if self._process and self._process.alive():
            return self._process, None
        earlier = self._process.log.take() if self._process else b""
        process = self._process = _Process(self._config)
        process.log.put_back(earlier)  # what was said since the last invocation
        if self._stopped:
            process.kill()
        began = time.monotonic()
        outcome = process.ready(INIT_TIMEOUT, request_id)
        self._init = time.monotonic() - began
        return process, outcome

    def _log(self, request_id: str, process: "_Process", took: float) -> str:
        said = process.log.take().decode("utf-8", "replace")
        if said and not said.endswith("\n"):
            said += "\n"
        report = [
            f"REPORT RequestId: {request_id}",
            f"Duration: {took * 1000:.2f} ms",
            f"Billed Duration: {int(took * 1000) + 1} ms",
            f"Memory Size: {self._config.memory} MB",
            f"Max Memory Used: {process.memory()} MB",
        ]
        if self._init is not None:
            report.append(f"Init Duration: {self._init * 1000:.2f} ms")
            self._init = None
        return (
            f"START RequestId: {request_id} Version: {self._config.version}\n"
            f"{said}END RequestId: {request_id}\n" + "\t".join(report) + "\n"
        )


class _Process:
    """One process and the Runtime API it alone talks to: a late request of a process
    that is gone cannot take the work of its successor."""

    def __init__(self, config: Config):
        self._changed = threading.Condition()
        self._asked = False  # for an invocation, so the initialisation is over
        self._init_error: bytes | None = None
        self._work: _Invocation | None = None
        self._ended: int | None = None  # exit status, as subprocess gives it
        self._peak = 0
        self._why = ""
        self.log = _Log()
        self._api = _serve(self)
        variables = {
            **config.variables,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._api.server_address[1]}",
        }
        self.popen = None
        try:
            self.popen = subprocess.Popen(
                [os.path.join(config.folder, "bootstrap")],
                cwd=config.folder, env=variables, stdin=subprocess.DEVNULL,
                stdout=self.log.writer, stderr=self.log.writer,
            )
        except OSError as e:
            self._why = str(e)
            self._ended = 127
        self.log.follow()
        threading.Thread(target=self._watch, name="function", daemon=True).start()

    def alive(self) -> bool:
        return self._ended is None

    def ready(self, patience: float, request_id: str) -> Outcome | None:
        """Waits for the end of the initialisation; returns how it failed, if it did."""
        with self._changed:
            self._changed.wait_for(lambda: self._asked or self._init_error or self._ended is not None, patience)
            if self._init_error is None and self._ended is not None:
                return self._exit(request_id)
            if self._asked:
                return None
        self.kill()
        if self._init_error is not None:
            return self._init_error, True
        return _problem("Sandbox.Timedout", f"RequestId: {request_id} Error: Init timed out after {patience:.2f} seconds")

    def run(self, work: _Invocation, timeout: float) -> Outcome:
        """Hands out an invocation and waits for its end."""
        with self._changed:
            self._work = work
            self._changed.notify_all()
            over = self._changed.wait_for(lambda: work.payload is not None or self._ended is not None, timeout)
            self._work = None
        if work.payload is not None:
            return work.payload, work.is_error
        if over:
            return self._exit(work.id)
        self.kill()
        return _problem("Sandbox.Timedout", f"RequestId: {work.id} Error: Task timed out after {timeout:.2f} seconds")

    def kill(self) -> None:
        self._peak = self.memory()
        if self.popen:
            self.popen.kill()
        with self._changed:
            self._changed.wait_for(lambda: self._ended is not None, 5)

    def memory(self) -> int:
        """The most memory it has used, in MB."""
        try:
            with open(f"/proc/{self.popen.pid}/status") as status:
                for line in status:
                    if line.startswith("VmHWM:"):
                        self._peak = max(1, int(line.split()[1]) // 1024)
        except (OSError, AttributeError):
            pass  # it has ended, or never began
        return self._peak

    def _exit(self, request_id: str) -> Outcome:
        if self._why:
            return _problem("Runtime.InvalidEntrypoint", f"RequestId: {request_id} Error: {self._why}")
        how = f"exit status {self._ended}"
        if self._ended < 0:
            how = f"signal: {(signal.strsignal(-self._ended) or str(-self._ended)).lower()}"
        return _problem("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited with error: {how}")

    def _watch(self) -> None:
        """Cleans up when the process has ended, which may take a while."""
        if self.popen:
            ended = self.popen.wait()
            with self._changed:
                self._ended = ended
                self._changed.notify_all()
        self._api.shutdown()
        self._api.server_close()
        self.log.close()

    # What the Runtime API does.

    def next(self) -> _Invocation | None:
        with self._changed:
            self._asked = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._ended is not None or self._work and not self._work.taken)
            if self._ended is not None:
                return None
            self._work.taken = True
            return self._work

    def finish(self, request_id: str, payload: bytes, is_error: bool) -> int:
        """Takes an answer, and returns the status for it."""
        status = 202
        if not is_error and len(payload) > MAX_RESPONSE:
            payload, is_error = _problem(
                "Function.ResponseSizeTooLarge",
                f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes).",
            )
            status = 413
        self.log.drain()  # it said what it had to before it answered
        with self._changed:
            if self._work is None or self._work.id != request_id:
                return 400  # late: nobody waits for it any more
            self._work.payload, self._work.is_error = payload, is_error
            self._changed.notify_all()
        return status

    def fail_init(self, payload: bytes) -> int:
        with self._changed:
            self._init_error = payload
            self._changed.notify_all()
        return 202


def _problem(kind: str, message: str) -> Outcome:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode(), True


class _Log:
    """What a process says, read as it comes so that it never waits for a reader."""

    def __init__(self):
        self._reader, self.writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._reader, False)
        self._text = bytearray()
        self._lock = threading.Lock()
        self._open = True

    def follow(self) -> None:
        """To be called once the process has the writing end."""
        os.close(self.writer)
        threading.Thread(target=self._follow, name="function-log", daemon=True).start()

    def _follow(self) -> None:
        while self.drain():
            select.select([self._reader], [], [], 5)
        os.close(self._reader)

    def drain(self) -> bool:
        """Reads everything that has been written by now; whether there may be more."""
        with self._lock:
            while self._open:
                try:
                    chunk = os.read(self._reader, 65536)
                except BlockingIOError:
                    break
                self._open = bool(chunk)
                if len(self._text) < MAX_LOG:
                    self._text += chunk
            return self._open

    def close(self) -> None:
        """Gives up the pipe, which a child of the process may still hold."""
        self.drain()
        with self._lock:
            self._open = False

    def take(self) -> bytes:
        self.drain()
        with self._lock:
            text = bytes(self._text)
            self._text.clear()
            return text

    def put_back(self, text: bytes) -> None:
        with self._lock:
            self._text[:0] = text


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one packet
    prefix = "/2018-06-01/runtime/"

    def do_GET(self):
        if self.path != self.prefix + "invocation/next":
            return self._answer(404)
        work = self.server.process.next()
        if work is None:
            self.close_connection = True
            return None
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(work.event)))
        self.send_header("Lambda-Runtime-Aws-Request-Id", work.id)
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int(work.deadline * 1000)))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", work.arn)
        if work.trace:
            self.send_header("Lambda-Runtime-Trace-Id", work.trace)
        self.end_headers()
        self.wfile.write(work.event)
        return self.wfile.flush()

    def do_POST(self):
        payload = self._body()
        process = self.server.process
        parts = self.path.removeprefix(self.prefix).split("/")
        if parts == ["init", "error"]:
            return self._answer(process.fail_init(payload))
        if len(parts) == 3 and parts[0] == "invocation" and parts[2] in ("response", "error"):
            return self._answer(process.finish(parts[1], payload, parts[2] == "error"))
        return self._answer(404)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return bytes(body)

    def _answer(self, status: int) -> None:
        body = b'{"status":"OK"}' if status == 202 else b'{"errorMessage":"refused"}'
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_):
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    process: _Process

    def handle_error(self, request, client_address):
        pass  # the process was killed while it was being answered


def _serve(process: _Process) -> _Server:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.process = process
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 5}, name="runtime-api", daemon=True).start()
    return server
