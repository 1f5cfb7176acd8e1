"""Writes an image in the OCI layout from folders, one layer each, without a container engine.

    mkimage.py NAME OUT.tar FOLDER... [--env K=V]... [--entrypoint WORD]... [--user UID[:GID]]

The same folder gives the same bytes: files are sorted and carry no times. Owners and modes are kept.
Images that share a folder share its layer.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import tarfile

# What the image specification calls this machine's processor.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
PATH = "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
MEDIA = "application/vnd.oci.image"


def entries(folder):
    """Every path below the folder, sorted, each folder before what is in it."""
    for root, folders, files in os.walk(folder):
        folders.sort()
        # A link to a folder is listed among the folders, but not walked into.
        for name in sorted(folders + files):
            yield os.path.relpath(os.path.join(root, name), folder)


def write_layer(folder, out):
    """Writes the folder as a tar, and gives its digest and size."""

    def timeless(entry):
        entry.mtime = 0
        entry.uname = entry.gname = ""
        return entry

    with tarfile.open(out, "w", format=tarfile.GNU_FORMAT) as layer:
        for path in entries(folder):
            layer.add(os.path.join(folder, path), arcname=path, recursive=False, filter=timeless)
    digest = hashlib.sha256()
    with open(out, "rb") as written:
        while block := written.read(1 << 20):
            digest.update(block)
    return "sha256:" + digest.hexdigest(), os.path.getsize(out)


def described(blob, kind):
    """A descriptor of a blob, as the image layout refers to it."""
    digest = "sha256:" + hashlib.sha256(blob).hexdigest()
    return {"mediaType": f"{MEDIA}.{kind}.v1+json", "digest": digest, "size": len(blob)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("out")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--entrypoint", action="append")
    parser.add_argument("--user")
    options = parser.parse_args()

    files = [f"{options.out}.{place}" for place in range(len(options.folders))]
    layers = [write_layer(folder, file) for folder, file in zip(options.folders, files)]
    settings = {"Env": [PATH, *options.env], "Entrypoint": options.entrypoint, "User": options.user}
    config = json.dumps({
        "architecture": ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {key: value for key, value in settings.items() if value},
        "rootfs": {"type": "layers", "diff_ids": [digest for digest, _ in layers]},
    }).encode()
    manifest = json.dumps({
        "schemaVersion": 2,
        "mediaType": f"{MEDIA}.manifest.v1+json",
        "config": described(config, "config"),
        "layers": [
            {"mediaType": f"{MEDIA}.layer.v1.tar", "digest": digest, "size": size} for digest, size in layers
        ],
    }).encode()
    # containerd names the image it imports by this annotation.
    named = {"io.containerd.image.name": options.name, "org.opencontainers.image.ref.name": options.name}
    index = {"schemaVersion": 2, "manifests": [{**described(manifest, "manifest"), "annotations": named}]}

    with tarfile.open(options.out, "w") as archive:

        def add(path, size, content):
            entry = tarfile.TarInfo(path)
            entry.size = size
            archive.addfile(entry, content)

        def add_blob(blob):
            add("blobs/sha256/" + hashlib.sha256(blob).hexdigest(), len(blob), io.BytesIO(blob))

        layout = b'{"imageLayoutVersion":"1.0.0"}'
        add("oci-layout", len(layout), io.BytesIO(layout))
        text = json.dumps(index).encode()
        add("index.json", len(text), io.BytesIO(text))
        add_blob(config)
        add_blob(manifest)
        for (digest, size), file in zip(layers, files):
            with open(file, "rb") as layer:
                add("blobs/sha256/" + digest.removeprefix("sha256:"), size, layer)
            os.unlink(file)


if __name__ == "__main__":
    main()
