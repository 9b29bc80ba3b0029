"""Who does what: accounts of the sandbox, and the agent's own rights while it acts for one of them."""

import os

from .call import Refusal


class User:
    def __init__(self, name, uid, gid, home, shell, groups):
        self.name = name
        self.uid = uid
        self.gid = gid
        self.home = home
        self.shell = shell
        self.groups = groups


ROOT = User("root", 0, 0, "/root", "/bin/sh", [0])
# Equal to no account.
ROOT_HALF_WAY = User("", 0, 0, "/", "", None)


def find_user(name):
    """The account of a name or a number, read anew: what runs inside may add some."""
    rows = [row.split(":") for row in read_lines("/etc/passwd")]
    for row in rows:
        if len(row) >= 7 and (row[0] == name or row[2] == name):
            uid, gid = int(row[2]), int(row[3])
            return User(row[0], uid, gid, row[5] or "/", row[6] or "/bin/sh", groups_of(row[0], gid))
    if name.isdigit() and int(name) < 2**31:
        return User(name, int(name), int(name), "/", "/bin/sh", [int(name)])
    raise Refusal("EINVAL", "there is no user %s in /etc/passwd" % name)


def groups_of(name, gid):
    groups = {gid}
    for row in (line.split(":") for line in read_lines("/etc/group")):
        if len(row) >= 4 and name in row[3].split(","):
            groups.add(int(row[2]))
    return sorted(groups)


def read_lines(path):
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(1024 * 1024).splitlines()
    except OSError:
        return []


class Identity:
    """The agent acts as root, or with the rights of one user; it changes only when it must."""

    def __init__(self):
        self._acting = ROOT

    def become(self, user):
        """Takes on the rights that files are opened with; the real user stays root, so that nobody can stop the agent."""
        if user.uid == self._acting.uid and user.gid == self._acting.gid and user.groups == self._acting.groups:
            return
        if self._acting.uid != 0:
            os.setresuid(-1, 0, -1)
        # Numbers that the kernel does not take leave the agent root half-way: nobody else may be served with that.
        self._acting = ROOT_HALF_WAY
        os.setresgid(-1, user.gid, -1)
        os.setgroups(user.groups)
        if user.uid != 0:
            os.setresuid(-1, user.uid, -1)
        self._acting = user

    def lend(self, user, fork):
        """
        Makes a process as the user in every respect but the way back, and for no longer than that takes. The agent acts
        as that user already.
        """
        if user.uid == 0 and user.gid == 0:
            return fork()
        try:
            os.setresgid(user.gid, user.gid, 0)
            os.setresuid(user.uid, user.uid, 0)
            return fork()
        finally:
            # First of all: until then what has been made could end the agent.
            os.setresuid(0, user.uid, 0)
            os.setresgid(0, user.gid, 0)
