#!/bin/sh
# Makes a fresh machine able to run Runlet: npm packages, the Node that package.json names, runsc, EROFS tools, pip,
# ip and nft.
# Quiet and offline where nothing is missing. Says what it cannot do itself and how to do it, and exits with 1.
set -eu
cd "$(dirname "$0")/../.."

minimum_runsc=20240729
# The oldest Debian release with that runsc; only this one package is ever taken from it.
debian_with_runsc=trixie
stamp=node_modules/.runlet-setup
work=
apt_is_fresh=
lacks=

main() {
  trap clean_up EXIT
  trap 'exit 130' INT TERM
  packages_are_ready || install_packages || lacks=yes
  runsc_is_ready || install_runsc || lacks=yes
  command -v mkfs.erofs >/dev/null || install_erofs_tools || lacks=yes
  command -v pip3 >/dev/null || install_pip
  { command -v ip && command -v nft; } >/dev/null || install_network_tools
  if [ -n "$lacks" ]; then
    say "Next: do what stands above, then run \`npm $(npm_verb)\` again"
    exit 1
  fi
}

# --- npm packages -----------------------------------------------------------------------------------

packages_are_ready() {
  [ -x node_modules/.bin/node ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(lock_sum)" ]
}

install_packages() {
  # What is in npm's cache is right by its checksum; asking the registry first only makes offline slow.
  export npm_config_prefer_offline=true npm_config_fetch_retry_mintimeout=1000
  export npm_config_fetch_retry_maxtimeout=5000
  if ! command -v npm >/dev/null; then
    lack "npm is missing" "install Node.js with npm, on Debian: apt-get install nodejs npm"
    return 1
  fi
  if ! modules_match_lock; then
    step "installing npm packages" npm ci --ignore-scripts --no-audit --no-fund ||
      { explain_npm "the npm packages could not be installed" "npm ci"; return 1; }
  fi
  # Of all install scripts only these two are needed, and each only where its result is not there.
  ensure_node && ensure_terminal || return 1
  if ! loads better-sqlite3; then
    lack "better-sqlite3 does not load: it brings no binary for this system" "npm rebuild better-sqlite3"
    return 1
  fi
  # npx finds the command there: linked by hand, because npm links the commands of dependencies only.
  ln -sf ../../api/cli/main.ts node_modules/.bin/runlet
  lock_sum >"$stamp"
}

lock_sum() {
  cksum <package-lock.json
}

# A tree that plain `npm ci` or `npm install` made is as good as one made here.
modules_match_lock() {
  [ -f node_modules/.package-lock.json ] && node -e '
    const packages = (file) => JSON.parse(require("fs").readFileSync(file, "utf8")).packages;
    const have = packages("node_modules/.package-lock.json");
    for (const [path, { version, optional }] of Object.entries(packages("package-lock.json"))) {
      if (path && !(optional && !have[path]) && have[path]?.version !== version) process.exit(1);
    }' 2>/dev/null
}

ensure_node() {
  node_modules/.bin/node --version >/dev/null 2>&1 && return
  fetch_node || { explain_npm "Node could not be fetched" "npm rebuild node"; return 1; }
}

fetch_node() {
  step "fetching Node (about 50 MB)" npm rebuild --ignore-scripts=false node &&
    node_modules/.bin/node --version >/dev/null 2>&1
}

ensure_terminal() {
  loads node-pty && return
  for tool in python3 make g++; do
    command -v "$tool" >/dev/null && continue
    install_from_apt "the compiler that node-pty needs" python3 make g++ || return 1
    break
  done
  # The headers come with the Node package, so that node-gyp needs no other host.
  [ -n "$(headers)" ] || fetch_node || true
  if [ -n "$(headers)" ]; then
    npm_config_nodedir=$(headers)
    npm_package_config_node_gyp_nodedir=$npm_config_nodedir
    export npm_config_nodedir npm_package_config_node_gyp_nodedir
  fi
  step "building node-pty" npm rebuild --ignore-scripts=false node-pty && loads node-pty ||
    { explain_npm "node-pty could not be built" "npm rebuild node-pty"; return 1; }
}

headers() {
  for directory in "$PWD"/node_modules/node/node_modules/node-*; do
    [ -f "$directory/include/node/node.h" ] && echo "$directory" && return
  done
  return 0
}

loads() {
  node_modules/.bin/node -e "
    const loaded = require('$1');
    if ('$1' === 'better-sqlite3') new loaded(':memory:').close();" >/dev/null 2>&1
}

explain_npm() {
  if grep -qE 'EAI_AGAIN|ENOTFOUND|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH|ENOTCACHED' "$work/log"; then
    lack "$1: the npm registry is out of reach" \
      "connect to the network, or set npm's registry and proxy (\`npm config set registry URL\`)"
    return
  fi
  tell_log || true
  lack "$1: the lines above say why" "$2"
}

# --- runsc ------------------------------------------------------------------------------------------

runsc_is_ready() {
  is_recent "$(runsc --version 2>/dev/null | sed -n 's/^runsc version/&/p')"
}

# Takes any text with a version such as 0.0~20240729.0 or release-20240729.0 in it.
is_recent() {
  date=$(printf '%s\n' "$1" | sed -n 's/.*[~-]\([0-9]\{8\}\).*/\1/p')
  [ -n "$date" ] && [ "$date" -ge "$minimum_runsc" ]
}

install_runsc() {
  if can_use_apt; then
    is_recent "$(candidate)" || update_apt || true
    if is_recent "$(candidate)"; then
      step "installing runsc" apt_install runsc || tell_log || true
    elif is_debian; then
      step "taking runsc from Debian $debian_with_runsc" install_newer_runsc || tell_log || true
    fi
    runsc_is_ready && return
  fi
  found=$(runsc --version 2>/dev/null | sed -n 's/^runsc version \([^ ]*\).*/ and not \1/p')
  if can_use_apt || ! command -v apt-get >/dev/null; then
    lack "runsc 0.0~$minimum_runsc or newer is needed$found" \
      "install it as gVisor's installation guide says; Debian 13 and newer have it: apt-get install runsc"
  else
    lack "runsc 0.0~$minimum_runsc or newer is needed$found" "sudo sh api/cli/setup.sh"
  fi
  return 1
}

candidate() {
  LC_ALL=C apt-cache policy runsc 2>/dev/null | sed -n 's/^ *Candidate: //p'
}

is_debian() {
  (. /etc/os-release 2>/dev/null && [ "${ID:-}" = debian ])
}

# Everything of apt is private to this call: the machine's own sources and lists stay as they are.
install_newer_runsc() {
  entry=$(mirror_and_key "$(. /etc/os-release && echo "$VERSION_CODENAME")")
  if [ -z "$entry" ]; then
    echo "no apt source of the running release was found"
    return 1
  fi
  mkdir -p "$work/none" "$work/lists/partial" "$work/cache/archives/partial"
  echo "deb ${entry#* }${entry%% *} $debian_with_runsc main" >"$work/sources.list"
  private_apt update || return 1
  (cd "$work" && private_apt download runsc) || return 1
  dpkg -i "$work"/runsc_*.deb
}

private_apt() {
  apt-get -q -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- \
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts="$work/none" -o APT::Default-Release= \
    -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o Acquire::Languages=none \
    -o APT::Update::Error-Mode=any "$@"
}

# Prints "URI [signed-by=KEY] " of the apt source of suite $1, in either of the two formats that apt has.
mirror_and_key() {
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -f "$file" ] && awk -v suite="$1" '
      function flush() {
        if (types ~ /(^| )deb( |$)/ && (" " suites " ") ~ (" " suite " ") && enabled !~ /^(no|false)/ && uri != "")
          print uri " " (key ~ /^\// ? "[signed-by=" key "] " : "")
        types = suites = uri = key = enabled = ""
      }
      /^[ \t]*$/ { flush(); next }
      /^#/ { next }
      { name = tolower($1); text = $0; sub(/^[^:]*:[ \t]*/, "", text) }
      name == "types:" { types = text }
      name == "suites:" { suites = text }
      name == "uris:" { uri = $2 }
      name == "signed-by:" { key = $2 }
      name == "enabled:" { enabled = tolower($2) }
      END { flush() }' "$file"
  done >"$work/entries"
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -f "$file" ] && awk -v suite="$1" '
      $1 == "deb" {
        key = ""
        if (match($0, /signed-by=[^] ]*/)) key = "[" substr($0, RSTART, RLENGTH) "] "
        sub(/\[[^]]*\]/, "")
        if ($3 == suite) print $2 " " key
      }' "$file"
  done >>"$work/entries"
  head -n 1 "$work/entries"
}

# --- EROFS ------------------------------------------------------------------------------------------

install_erofs_tools() {
  install_from_apt "mkfs.erofs (images are made with it)" erofs-utils
}

# --- pip --------------------------------------------------------------------------------------------

# Only functions with a requirements.txt need it, and their deployment says so.
install_pip() {
  if can_use_apt; then
    install_from_apt "pip (packages of Python functions are installed with it)" python3-pip || lacks=yes
  fi
}

# --- ip and nft -------------------------------------------------------------------------------------

# Only sandboxes with a network need them, and their creation says so.
install_network_tools() {
  if can_use_apt; then
    install_from_apt "ip or nft (networks of sandboxes are made with them)" iproute2 nftables || lacks=yes
  fi
}

# --- apt --------------------------------------------------------------------------------------------

can_use_apt() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

# $1 says what it is for; the rest are packages.
install_from_apt() {
  reason=$1
  shift
  if can_use_apt; then
    step "installing $*" apt_install "$@" && return
    if update_apt && step "installing $*" apt_install "$@"; then return; fi
    tell_log
  fi
  lack "$reason is missing" "sudo apt-get install $* (or the packages of that name of your system)"
  return 1
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
    -o DPkg::Lock::Timeout=120 "$@"
}

update_apt() {
  [ -z "$apt_is_fresh" ] || return 0
  step "updating the apt lists" apt-get update -q || return 1
  apt_is_fresh=yes
}

# --- words ------------------------------------------------------------------------------------------

say() {
  printf 'setup: %s\n' "$*" >&2
}

lack() {
  say "$1"
  say "  to mend it: $2"
}

# Runs a slow command with one line of progress; its output is kept for the case that it fails.
step() {
  make_work
  say "$1 ..."
  shift
  "$@" >"$work/log" 2>&1 </dev/null
}

# The first and the last lines: npm says first what is wrong, compilers and apt say it last.
tell_log() {
  grep -v '^npm warn' "$work/log" | awk '
    { line[NR] = $0 }
    END { for (i = 1; i <= NR; i++) if (i <= 8 || i > NR - 8) print "  | " line[i] }' >&2
  return 1
}

npm_verb() {
  case "${npm_lifecycle_event:-}" in
    pretest | test | '') echo test ;;
    *) echo "run $npm_lifecycle_event" ;;
  esac
}

make_work() {
  [ -n "$work" ] && return
  work=$(mktemp -d "${TMPDIR:-/tmp}/runlet-setup-XXXXXX")
  # apt drops its rights and must still be able to write its lists.
  chmod 755 "$work"
}

clean_up() {
  [ -z "$work" ] || rm -rf "$work"
}

main
