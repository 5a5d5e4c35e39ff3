#!/usr/bin/env bash
# Usage: run.sh BUILD_DIR. Installs the SDK from a finished build into an empty prefix, then configures, builds and runs the
# example against nothing but that prefix.
set -euo pipefail
build_dir=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The example must agree with the archives on compiler and sanitizers.
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build_dir/CMakeCache.txt"; }
fail() { echo "install test: $1" >&2; exit 1; }

cmake --install "$build_dir" --component sdk --prefix "$work/prefix" >/dev/null
[[ $(cd "$work/prefix/include" && find . -type f) == ./cairn/client.h ]] || fail "more than client.h was installed"

cmake -S "$here/example" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" \
  -DCMAKE_BUILD_TYPE="$(cached CMAKE_BUILD_TYPE)" -DCMAKE_CXX_COMPILER="$(cached CMAKE_CXX_COMPILER)" \
  -DCMAKE_CXX_FLAGS="$(cached CMAKE_CXX_FLAGS)" -DCMAKE_EXE_LINKER_FLAGS="$(cached CMAKE_EXE_LINKER_FLAGS)" >/dev/null
cmake --build "$work/build" >/dev/null

trainer=$work/build/trainer
"$trainer" --help | grep -q '^usage: trainer' || fail "--help does not teach"
# Past the header and into the library: options are checked before any connection is made.
if output=$("$trainer" 127.0.0.1:1 licenses not/an/id dir 1 2>&1); then fail "a bad client id was accepted"; fi
grep -q 'INVALID_ARGUMENT: join: client id' <<<"$output" || fail "unexpected answer to a bad client id: $output"
echo "install test: passed"
