"""Writing a function's code."""

import json
import os


class InvalidTask(Exception):
    pass


def write_task(root, entries, body):
    """Writes the code below `root`. Links come last, so that no file is written through one."""
    links = {e["path"]: checked_target(e["path"], e["link"]) for e in entries if "link" in e}
    for entry in entries:
        check_path(entry["path"], links)
    os.makedirs(root, exist_ok=True)
    offset = 0
    for entry in entries:
        if "link" in entry:
            continue
        size = entry["size"]
        if size < 0 or offset + size > len(body):
            raise InvalidTask("Cannot write task: files are larger than the body")
        path = parent_made(root, entry["path"])
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        with open(os.open(path, flags, entry["mode"] & 0o777), "wb", buffering=0) as file:
            data = memoryview(body)[offset : offset + size]
            while data:
                data = data[file.write(data) :]
        offset += size
    if offset != len(body):
        raise InvalidTask("Cannot write task: files are smaller than the body")
    for path, target in links.items():
        os.symlink(target, parent_made(root, path))


def check_path(path, links):
    parts = path.split("/")
    if "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise InvalidTask("Cannot write task: path %s is not a plain relative path" % json.dumps(path))
    for end in range(1, len(parts)):
        if "/".join(parts[:end]) in links:
            raise InvalidTask("Cannot write task: path %s is below a link" % json.dumps(path))


def checked_target(path, target):
    """A target may only go up first and down afterwards, and never above the root. Since every link stands
    in a real directory, such targets stay inside whatever other links they pass."""
    parts = [part for part in target.split("/") if part not in ("", ".")]
    up = 0
    while up < len(parts) and parts[up] == "..":
        up += 1
    is_inside = not target.startswith("/") and up <= path.count("/") and ".." not in parts[up:]
    if not is_inside or not target or "\0" in target:
        raise InvalidTask(
            "Cannot write task: link %s to %s leaves the task" % (json.dumps(path), json.dumps(target))
        )
    return target


def parent_made(root, path):
    whole = os.path.join(root, path)
    os.makedirs(os.path.dirname(whole), exist_ok=True)
    return whole
