"""moto's S3 with a record of its requests, and with faults that a test asks for.

    s3.py serve PORT RECORD      one JSON line a request into RECORD
    s3.py set ENDPOINT FAULTS    FAULTS as JSON; {} ends them all

Faults:  {"unavailable": 0.5}           that share of the requests gets 503 SlowDown and does nothing, none of
                                        them more than IN_A_ROW times, since whoever asks may give up at some time
         {"below": "/flows/X/"}         only of those whose path begins so
         {"denied": ["put /flows/X"]}   requests whose method and path begin so get 403 AccessDenied
A record: {"time", "from", "method", "path", "status"}. Each pod has an address of its own, so `from` names the task.
"""

import json
import random
import sys
import threading
import time
import urllib.request

# A failing test fails again, as far as requests come in the same order.
SEED = 9
IN_A_ROW = 5

# Below this path the server is spoken to about itself. No bucket has such a name.
CONTROL = "/_faults"
ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{}</Code><Message>asked for by the test</Message></Error>'


class Recorded:
    """Passes requests on to moto, unless they are to fail, and writes each down."""

    def __init__(self, moto, record):
        self.moto = moto
        self.record = record
        self.lock = threading.Lock()
        self.faults = {}
        self.random = random.Random(SEED)
        # How often each request, by its method and path, was refused since it last passed.
        self.refused = {}

    def __call__(self, environ, start_response):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path == CONTROL:
            self.faults = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            self.random.seed(SEED)
            start_response("204 No Content", [])
            return []

        def noted(status, headers, exc_info=None):
            line = {
                "time": time.time(),
                "from": environ.get("REMOTE_ADDR"),
                "method": method,
                "path": path,
                "status": int(status[:3]),
            }
            with self.lock:
                self.record.write(json.dumps(line) + "\n")
                self.record.flush()
            return start_response(status, headers, exc_info)

        refused = self.refusal(f"{method.lower()} {path}")
        if refused is None:
            return self.moto(environ, noted)
        # What was sent must be read, or the client sees a broken connection in place of the answer.
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, code = refused
        body = b"" if method == "HEAD" else ERROR.format(code).encode()
        noted(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]

    def refusal(self, request):
        """Status and S3's code of a request that is to fail."""
        if any(request.startswith(denied) for denied in self.faults.get("denied", [])):
            return "403 Forbidden", "AccessDenied"
        if not request.partition(" ")[2].startswith(self.faults.get("below", "")):
            return None
        with self.lock:
            chosen = self.random.random() < self.faults.get("unavailable", 0)
            unavailable = chosen and self.refused.get(request, 0) < IN_A_ROW
            self.refused[request] = self.refused.get(request, 0) + 1 if unavailable else 0
        return ("503 Slow Down", "SlowDown") if unavailable else None


def serve(port, record):
    from moto.server import create_backend_app
    from werkzeug.serving import WSGIRequestHandler, run_simple

    class Handler(WSGIRequestHandler):
        # HTTP/1.1 keeps connections, as S3 does.
        protocol_version = "HTTP/1.1"

        def log_request(self, code="-", size="-"):
            """Requests are in the record."""

    # Not by way of the application for all services, which lists moto's folder for each request.
    moto = create_backend_app("s3")
    with open(record, "a", encoding="utf-8") as lines:
        run_simple("0.0.0.0", port, Recorded(moto, lines), threaded=True, request_handler=Handler)


def main():
    match sys.argv[1:]:
        case ["serve", port, record]:
            serve(int(port), record)
        case ["set", endpoint, faults]:
            json.loads(faults)
            request = urllib.request.Request(endpoint + CONTROL, faults.encode(), method="PUT")
            urllib.request.urlopen(request, timeout=10).close()
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
