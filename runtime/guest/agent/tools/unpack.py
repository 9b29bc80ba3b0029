"""Makes of a tar on standard input what it holds, below a directory and nowhere else."""

import os
import sys
import tarfile

root = os.path.expanduser(sys.argv[1])
os.makedirs(root, exist_ok=True)
os.chdir(root)
count = 0
try:
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|*", bufsize=256 * 1024) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        for member in archive:
            path = os.path.normpath(member.name)
            if path.startswith(("/", "../")) or path == "..":
                raise tarfile.TarError("%s would stand outside" % member.name)
            archive.extract(member, numeric_owner=False)
            count += 1
except (tarfile.TarError, OSError) as error:
    sys.exit("%s" % error)
# A sender that has more to say is let finish.
while sys.stdin.buffer.read(256 * 1024):
    pass
print(count)
