"""Writes a directory as a tar to standard output."""

import os
import sys
import tarfile

os.chdir(os.path.expanduser(sys.argv[1]))
# GNU's format has names byte for byte, also those that are no UTF-8.
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.GNU_FORMAT, bufsize=256 * 1024) as archive:
    for name in sorted(os.listdir()):
        archive.add(name)
