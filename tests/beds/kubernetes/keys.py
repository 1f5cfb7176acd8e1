"""Lists the keys below a prefix in a bucket of the bed's S3, a line each.

    python keys.py s3://BUCKET PREFIX      (AWS_ENDPOINT_URL names the server)
"""

import os
import sys
import urllib.parse
import urllib.request
from xml.etree import ElementTree

bucket, prefix = sys.argv[1].removeprefix("s3://"), sys.argv[2]
space = "{http://s3.amazonaws.com/doc/2006-03-01/}"
token = None
while True:
    query = {"list-type": "2", "prefix": prefix, **({"continuation-token": token} if token else {})}
    url = f"{os.environ['AWS_ENDPOINT_URL']}/{bucket}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=60) as answer:
        found = ElementTree.fromstring(answer.read())
    for key in found.iter(f"{space}Key"):
        print(key.text)
    token = found.findtext(f"{space}NextContinuationToken")
    if not token:
        break
