#!/bin/sh
# Says what to do where the server could not even begin: before the set-up, Node is too old or packages are missing.
# Installs nothing, and says nothing where all is there.
set -eu
cd "$(dirname "$0")/../.."

lack=$(node -e '
  const { dependencies, engines } = require("./package.json");
  const needed = Number.parseInt(engines.node.replace(/^\D+/, ""), 10);
  const isThere = (name) => require("fs").existsSync(`node_modules/${name}/package.json`);
  // Of these a package that was never built is there, and does not load.
  const loads = (name) => {
    try {
      require(name);
      return true;
    } catch {
      return false;
    }
  };
  const lacking = Object.keys(dependencies).filter((name) => !isThere(name));
  const unbuilt = ["node-pty", "better-sqlite3"].filter((name) => !loads(name));
  if (Number.parseInt(process.versions.node, 10) < needed) {
    console.log(`Node ${needed} or newer is needed, and this is ${process.versions.node}`);
  } else if (lacking.length > 0) {
    console.log(`npm packages are not installed, such as ${lacking[0]}`);
  } else if (unbuilt.length > 0) {
    console.log(`${unbuilt.join(" and ")} of the npm packages cannot be loaded`);
  }
')
[ -n "$lack" ] || exit 0
echo "error: Cannot start the server: $lack" >&2
echo "Run \`npm run quickstart\`, which sets up and shows an example, or \`sh api/cli/setup.sh\`, which only sets up" >&2
exit 1
