"""Copies what lies under a prefix of a bucket into a folder, as a local store would have it.

    mirror.py BUCKET PREFIX FOLDER

Endpoint and credentials come from the environment. Files that are there already
are kept if their size is the same: nothing in a store changes once it is
complete, and what still grows changes its size.
"""

import os
import sys

import boto3
from botocore.config import Config


def main(bucket, prefix, folder):
    """Copies every object; returns how many there were."""
    client = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
    count = 0
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", ()):
            count += 1
            path = os.path.join(folder, *entry["Key"].split("/"))
            if os.path.exists(path) and os.path.getsize(path) == entry["Size"]:
                continue
            os.makedirs(os.path.dirname(path), exist_ok=True)
            client.download_file(bucket, entry["Key"], path)
    return count


if __name__ == "__main__":
    if not main(*sys.argv[1:]):
        sys.exit("nothing under %s in %s" % (sys.argv[2], sys.argv[1]))
