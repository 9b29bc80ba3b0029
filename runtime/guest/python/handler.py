"""Importing a function's code and finding its handler."""

import json
import os
import sys

CONVENTIONAL_MODULES = ("main", "handler", "index", "app", "lambda_function")
PACKAGES = "python_packages"
CONVENTIONAL_FUNCTIONS = ("handler", "lambda_handler")


class HandlerNotFound(Exception):
    pass


def load_handler(root, entries, spec):
    """Imports the code and finds its handler: the one that `spec` names as dir/module.function, or one by
    convention."""
    if spec is None:
        module_name, names = find_by_convention(root, entries), CONVENTIONAL_FUNCTIONS
    else:
        module_name, _, name = spec.rpartition(".")
        parts = module_name.replace("/", ".").split(".")
        if not name or not all(parts):
            raise not_found("%s is not of the form dir/module.function" % json.dumps(spec))
        module_name, names = ".".join(parts), (name,)
        if find_module(root, module_name) is None:
            raise not_found("neither %s nor %s is in %s" % (*module_files(module_name), root))
    sys.argv = [find_module(root, module_name)]
    packages = os.path.join(root, PACKAGES)
    sys.path[:0] = [root, packages] if os.path.isdir(packages) else [root]
    __import__(module_name)
    module = sys.modules[module_name]
    for name in names:
        handler = getattr(module, name, None)
        if callable(handler):
            return handler
    found = ", ".join(name for name in vars(module) if not name.startswith("_")) or "nothing"
    raise not_found("%s defines %s; looked for the function %s" % (sys.argv[0], found, " or ".join(names)))


def find_by_convention(root, entries):
    own = [e["path"] for e in entries if not e["path"].startswith(PACKAGES + "/")]
    modules = [path for path in own if path.endswith(".py")]
    if len(modules) == 1:
        return modules[0][:-3].replace("/", ".")
    for name in CONVENTIONAL_MODULES:
        if find_module(root, name) is not None:
            return name
    wanted = ", ".join(name + ".py" for name in CONVENTIONAL_MODULES)
    raise not_found("none of these files is in %s: %s" % (root, wanted))


def find_module(root, name):
    for file in module_files(name):
        path = os.path.join(root, file)
        if os.path.isfile(path):
            return path
    return None


def module_files(name):
    base = name.replace(".", "/")
    return base + ".py", base + "/__init__.py"


def not_found(fact):
    return HandlerNotFound("Cannot find the handler: " + fact)
