# shellcheck shell=bash
# What the scripts share. Source it; it moves to the top of the checkout.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Ansible refuses a locale that is not UTF-8, and a bare machine has none set.
export LC_ALL=C.UTF-8
# Tools of our environment, and those of root that a plain user's PATH leaves out.
export PATH="$PWD/.venv/bin:$PATH:/usr/sbin:/sbin"

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# as_root COMMAND...: as it is for root, through sudo for others.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    # Python must not leave compiled files that belong to root in a user's checkout.
    sudo env "PATH=$PATH" "LC_ALL=$LC_ALL" PYTHONDONTWRITEBYTECODE=1 "$@"
  else
    die "this needs root: run it as root, or install sudo ($*)"
  fi
}

# quietly COMMAND...: its output is shown only if it fails.
quietly() {
  local log result=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 || result=$?
  [ "$result" = 0 ] || cat "$log" >&2
  rm -f "$log"
  return "$result"
}

# apt_install PACKAGE...: installs those that are missing, and says which.
apt_install() {
  local package missing=()
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "Debian packages: ${missing[*]}"
  quietly as_root apt-get update -qq
  quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}
