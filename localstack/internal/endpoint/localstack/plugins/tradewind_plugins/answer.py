"""A server on loopback that takes one JSON document, by PUT. Standard library only."""

import http.server
import json
import threading


class Answer:
    """To be used as a context: the server runs inside."""

    def __enter__(self) -> "Answer":
        self._came = threading.Event()
        self._document: dict | None = None
        answer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_PUT(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                try:
                    answer._document = json.loads(body)
                except ValueError:
                    self.send_error(400)
                    return
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                answer._came.set()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait(self, seconds: float) -> dict | None:
        """The document, or nothing if none comes in time."""
        self._came.wait(seconds)
        return self._document
