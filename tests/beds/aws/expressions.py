"""JSONata for moto's interpreter, whose evaluator was cut out, and objects for unions of names in JSONPath."""

import functools
import hashlib
import json
import re
import sys

import jsonata
import moto.stepfunctions.parser.asl.component.intrinsic.jsonata as intrinsic
import moto.stepfunctions.parser.asl.jsonata.jsonata as moto_jsonata
from moto.stepfunctions.parser.asl.utils import json_path

PACKAGE = "moto.stepfunctions.parser.asl."
ALGORITHMS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


def digest(data, algorithm):
    """`$hash` as Step Functions adds it to JSONata: the hexadecimal digest of a text.

    jsonata-python takes a call with fewer arguments than parameters for a partial application, and counts defaults
    among the parameters; so the algorithm has to be named here.
    """
    if algorithm not in ALGORITHMS:
        raise ValueError(f"$hash knows no {algorithm}")
    return hashlib.new(ALGORITHMS[algorithm], str(data).encode()).hexdigest()


def plain(value):
    """JSON's types for those of jsonata-python."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return None


def evaluate(text):
    try:
        expression = jsonata.Jsonata(text)
        expression.register_lambda("hash", digest)
        return plain(expression.evaluate(None))
    except Exception as error:
        raise moto_jsonata.JSONataException("UNKNOWN", str(error)) from error


def declarations(bindings):
    """Variables in front of an expression."""
    return "".join(f"{name}:={json.dumps(value, default=str)};" for name, value in bindings.items())


def replace_everywhere(name, value):
    """Sets the name in each module of the interpreter that imported it."""
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith(PACKAGE) and hasattr(module, name):
            setattr(module, name, value)


_UNION = re.compile(r"^\$(.*?)\.?\[\s*('[^']*'(?:\s*,\s*'[^']*')+)\s*\]$")
_extract = json_path.extract_json


def extract_json(path, data):
    """AWS gives an object for a union of names: `$.['a','b']` is `{"a": …, "b": …}` without those that are absent."""
    union = _UNION.match(path) if "'," in path or "' ," in path else None
    if union is None:
        return _extract(path, data)
    base = _extract("$" + union[1], data) if union[1] else data
    return {name: base[name] for name in re.findall(r"'([^']*)'", union[2]) if name in base}


def install():
    moto_jsonata._eval_jsonata = evaluate
    # moto declares a `$hash` in front of the expression that says that it is not supported.
    del intrinsic._DECLARATION_BY_VARIABLE_REFERENCE["$hash"]
    replace_everywhere("encode_jsonata_variable_declarations", declarations)
    json_path.parse = functools.lru_cache(4096)(json_path.parse)
    replace_everywhere("extract_json", extract_json)
