"""Kubernetes' API over HTTPS, with the standard library alone."""

import base64
import http.client
import json
import os
import ssl
import subprocess
import tempfile
import urllib.parse

ARGO = "/apis/argoproj.io/v1alpha1"
CORE = "/api/v1"


class ApiError(Exception):
    """The API server said no."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


class Api:
    """The objects of one namespace."""

    def __init__(self, namespace):
        self.namespace = namespace
        view = ["kubectl", "config", "view", "--raw", "--minify", "--flatten", "-o", "json"]
        config = json.loads(subprocess.run(view, check=True, capture_output=True).stdout)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        url = urllib.parse.urlsplit(cluster["server"])
        self.address, self.connection = (url.hostname, url.port or 443), None
        self.headers = {"Accept": "application/json"}
        if "token" in user:
            self.headers["Authorization"] = f"Bearer {user['token']}"
        self.tls = ssl.create_default_context(cadata=decoded(cluster["certificate-authority-data"]))
        if "client-certificate-data" in user:
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as pair:
                pair.write(decoded(user["client-certificate-data"]) + decoded(user["client-key-data"]))
                pair.flush()
                self.tls.load_cert_chain(pair.name)

    def request(self, method, path, body=None, kind="application/json", user=None):
        """The answer as an object; as another user if one is named."""
        data = None if body is None else json.dumps(body).encode()
        headers = dict(self.headers, **({"Content-Type": kind} if data else {}))
        if user is not None:
            headers["Impersonate-User"] = user
        for fresh in (False, True):
            if self.connection is None or fresh:
                self.connection = http.client.HTTPSConnection(*self.address, context=self.tls, timeout=60)
            try:
                self.connection.request(method, path, data, headers)
                answer = self.connection.getresponse()
                text = answer.read()
                break
            except (http.client.HTTPException, OSError):
                # A connection that was kept may have been closed; what we send may be sent twice.
                self.connection = None
                if fresh:
                    raise
        if answer.status >= 400:
            try:
                message = json.loads(text).get("message", "")
            except ValueError:
                message = text[:200]
            raise ApiError(answer.status, message)
        return json.loads(text)

    def path(self, plural, name=None, labels=None):
        """The path of a collection or an object."""
        base = CORE if plural == "pods" else ARGO
        path = f"{base}/namespaces/{self.namespace}/{plural}"
        if name is not None:
            path += f"/{name}"
        if labels is not None:
            path += "?" + urllib.parse.urlencode({"labelSelector": labels})
        return path

    def list(self, plural, labels, user=None):
        """All objects with these labels."""
        return self.request("GET", self.path(plural, labels=labels), user=user)["items"]

    def get(self, plural, name):
        """The object, or None."""
        try:
            return self.request("GET", self.path(plural, name))
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def create(self, plural, body):
        """Creates it; an object that is there already stays as it is."""
        try:
            self.request("POST", self.path(plural), body)
        except ApiError as error:
            if error.code != 409:
                raise

    def patch(self, plural, name, body):
        """Merges into it; an object that has gone is let go."""
        try:
            self.request("PATCH", self.path(plural, name), body, "application/merge-patch+json")
        except ApiError as error:
            if error.code != 404:
                raise

    def delete(self, plural, name):
        """Asks for its end; pods get SIGTERM and their time of grace."""
        try:
            self.request("DELETE", self.path(plural, name))
        except ApiError as error:
            if error.code != 404:
                raise

    def execute(self, pod, container, program):
        """Runs a Python program in a container; its output, or None if it failed or took too long."""
        words = ["kubectl", "--namespace", self.namespace, "exec", pod, "--container", container, "--"]
        words += ["python3", "-c", program]
        try:
            done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)
        except subprocess.TimeoutExpired:
            return None
        return done.stdout if done.returncode == 0 else None


def decoded(text):
    """Base64 as in a kubeconfig."""
    return base64.b64decode(text).decode()


if "KUBECONFIG" not in os.environ:
    raise SystemExit("standin: KUBECONFIG is not set")
