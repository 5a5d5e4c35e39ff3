#!/usr/bin/env bash
# Sums over processes from GPU to GPU, on a machine with two GPUs or more and without Debian's packages, where python3 has
# a CUDA wheel of torch and nothing can be downloaded: builds libcairn_collective.so with NCCL against that libtorch.
#
#   tests/shards/device.sh DEBS [DEVICE…]     DEVICE…: one for each member; else cuda:0, cuda:1, … as many as there are
#
# DEBS: a folder with Debian 12's packages, fetched beforehand on a machine that has them:
#   mkdir DEBS && cd DEBS && apt-get download libabsl-dev libabsl20220623 libre2-dev libre2-9 libisal-dev libisal2 \
#     nlohmann-json3-dev libcli11-dev libgtest-dev libgmock-dev googletest
# OpenSSL's headers, pkg-config, cmake, ninja and g++ are taken from the machine. What is printed also goes to
# $OUT/collective.txt.
set -euo pipefail
debs=$(realpath "${1:?the folder with the Debian packages}")
shift
cd "$(dirname "$0")/../.."
work=${WORK:-/tmp/cairn-collective}
prefix=$work/prefix
libraries=$prefix/usr/lib/x86_64-linux-gnu

mkdir -p "$prefix"
for deb in "$debs"/*.deb; do dpkg-deb -x "$deb" "$prefix"; done
export PKG_CONFIG_PATH=$libraries/pkgconfig PKG_CONFIG_SYSROOT_DIR=$prefix
export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
torch=$(python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))')
{
  cmake -S . -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCAIRN_SERVICE=OFF -DCAIRN_TESTS=ON -DCAIRN_BENCH=OFF \
    -DCMAKE_PREFIX_PATH="$torch;$prefix/usr"
  cmake --build "$work/build" --target collective_devices collective_test -j "$(nproc)"
} >"$work/build.log" 2>&1 || { tail -60 "$work/build.log"; exit 1; }

devices=("$@")
if [[ ${#devices[@]} == 0 ]]; then
  for ((gpu = 0; gpu < $(nvidia-smi --list-gpus | wc -l); ++gpu)); do devices+=("cuda:$gpu"); done
fi
{
  # Those whose members need no GPU of their own.
  timeout 120 "$work/build/bin/collective_test" --gtest_filter='*OneIsEnough:*NeverComes*:*Refuses*'
  timeout 240 "$work/build/bin/collective_devices" "${devices[@]}"
} 2>&1 | tee "${OUT:-$work}/collective.txt"
