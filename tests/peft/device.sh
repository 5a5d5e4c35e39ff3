#!/usr/bin/env bash
# The PEFT judge on a machine without Debian's packages, where python3 has torch, transformers and peft and nothing can be
# downloaded (Ubuntu 24.04 with a CUDA wheel of torch, say): builds `cairn` with -DCAIRN_SERVICE=OFF against that libtorch.
#
#   tests/peft/device.sh DEBS [ARG…]      ARG… go to judge.py; with a GPU it also compresses on cuda:0
#   BENCH=1 tests/peft/device.sh DEBS     and then measures recompression there
#
# DEBS: a folder with Debian 12's packages, fetched beforehand on a machine that has them:
#   mkdir DEBS && cd DEBS && apt-get download libabsl-dev libabsl20220623 libre2-dev libre2-9 libisal-dev libisal2 \
#     nlohmann-json3-dev libcli11-dev
# OpenSSL's headers, pkg-config, cmake, ninja and g++ are taken from the machine. The table also goes to $OUT/peft.txt.
set -euo pipefail
debs=$(realpath "${1:?the folder with the Debian packages}")
shift
cd "$(dirname "$0")/../.."
work=${WORK:-/tmp/cairn-peft}
prefix=$work/prefix
libraries=$prefix/usr/lib/x86_64-linux-gnu

mkdir -p "$prefix"
for deb in "$debs"/*.deb; do dpkg-deb -x "$deb" "$prefix"; done
export PKG_CONFIG_PATH=$libraries/pkgconfig PKG_CONFIG_SYSROOT_DIR=$prefix
export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
torch=$(python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))')

{
  cmake -S . -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCAIRN_SERVICE=OFF -DCAIRN_TESTS=OFF \
    -DCAIRN_BENCH=ON -DCMAKE_PREFIX_PATH="$torch;$prefix/usr"
  cmake --build "$work/build" --target cairn combine_bench -j "$(nproc)"
} >"$work/build.log" 2>&1 || { tail -60 "$work/build.log"; exit 1; }

devices=()
if python3 -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then devices=(--device cuda:0); fi
verdict=0
python3 tests/peft/judge.py --cairn "$work/build/bin/cairn" "${devices[@]}" "$@" 2>&1 | tee "${OUT:-$work}/peft.txt" ||
  verdict=$?
if [[ ${BENCH:-} ]]; then
  "$work/build/bin/combine_bench" --only recompress "${devices[@]}" 2>&1 | tee "${OUT:-$work}/recompress.txt"
fi
exit $verdict
