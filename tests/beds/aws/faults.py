"""What a test asks to go wrong.

    POST /_bed/faults {"kills": [{"mark": TEXT, "how": "kill"|"oom"|"host", "times": 1}],
                       "slow_down": 0.5, "deny": ["states:CreateStateMachine", "s3:PutObject"]}

replaces the faults that were there.

- `kills`: the next jobs that print TEXT are killed at that moment (SIGKILL of the whole container), and Batch says what
  it says of a killed process, of one that ran out of memory, or of a host that is gone.
- `slow_down`: this share of the jobs' and users' requests to S3 is answered by 503 SlowDown, none of them more than
  IN_A_ROW times, since whoever asks may give up at some time. Step Functions' own requests are spared.
- `deny`: these actions are answered as IAM does when no policy allows them.
"""

import json
import random
import re
import threading

_lock = threading.Lock()
_kills = []
_slow_down = 0.0
_deny = frozenset()
IN_A_ROW = 5
# How often each request, by its method and path, was refused since it last passed.
_refused = {}
# The same requests are refused in each run, as far as they come in the same order.
_random = random.Random(7)


def set_all(wanted):
    global _slow_down, _deny
    with _lock:
        _kills[:] = [dict(kill, times=kill.get("times", 1)) for kill in wanted.get("kills", [])]
        _slow_down = wanted.get("slow_down", 0.0)
        _deny = frozenset(wanted.get("deny", []))


def for_job(log):
    """How the job with this log is to end now, if at all."""
    if not any(kill["times"] > 0 for kill in _kills):
        return None
    with open(log, errors="replace") as file:
        text = file.read()
    with _lock:
        for kill in _kills:
            if kill["times"] > 0 and kill["mark"] in text:
                kill["times"] -= 1
                return kill["how"]
    return None


def answer(environ):
    """`(status, content type, body)` if the request does not reach its service."""
    action = action_of(environ)
    if action is None:
        return None
    service = action.split(":")[0]
    own = "flowc-emulator" in environ.get("HTTP_USER_AGENT", "")
    if action in _deny and not own:
        message = (
            f"User: arn:aws:iam::123456789012:user/emulator is not authorized to perform: {action} "
            f"because no identity-based policy allows the {action} action"
        )
        if service == "s3":
            return "403 Forbidden", "application/xml", _s3_error("AccessDenied", message)
        body = json.dumps({"__type": "AccessDeniedException", "message": message})
        status = "400 Bad Request" if service == "states" else "403 Forbidden"
        return status, "application/json", body
    if service == "s3" and _slow_down and not own:
        request = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        with _lock:
            refused = _random.random() < _slow_down and _refused.get(request, 0) < IN_A_ROW
            _refused[request] = _refused.get(request, 0) + 1 if refused else 0
        if refused:
            return "503 Slow Down", "application/xml", _s3_error("SlowDown", "Please reduce your request rate.")
    return None


def _s3_error(code, message):
    return f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'


def action_of(environ):
    """The action as IAM names it; `None` for services that no test denies."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target.startswith("AWSStepFunctions."):
        return "states:" + target.split(".", 1)[1]
    if target.startswith("AWSEvents."):
        return "events:" + target.split(".", 1)[1]
    signed = re.search(r"Credential=[^/]+/\d+/[^/]+/([a-z0-9-]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    service = signed[1] if signed else ""
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    if service == "s3":
        verb = {"GET": "Get", "HEAD": "Get", "PUT": "Put", "POST": "Put", "DELETE": "Delete"}.get(method)
        bucket_only = path.strip("/").count("/") == 0
        return "s3:ListBucket" if bucket_only else f"s3:{verb}Object"
    if service == "batch":
        name = path.rsplit("/", 1)[1]
        known = {
            "registerjobdefinition": "RegisterJobDefinition",
            "deregisterjobdefinition": "DeregisterJobDefinition",
            "describejobdefinitions": "DescribeJobDefinitions",
            "submitjob": "SubmitJob",
            "describejobs": "DescribeJobs",
        }
        return "batch:" + known.get(name, name)
    if service == "scheduler":
        verb = {"GET": "Get", "POST": "Create", "PUT": "Update", "DELETE": "Delete"}[method]
        return f"scheduler:{verb}Schedule"
    return None
