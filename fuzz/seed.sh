#!/usr/bin/env bash
# Fills fuzz/corpus from the files we have, so that the fuzzer starts from what parses.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p fuzz/corpus/{text,spec,ir,vectors}
find tests/ok tests/err tests/regressions specs src/std -name '*.ntm' 2>/dev/null | while read -r path; do
  name=$(echo "$path" | tr / _)
  cp "$path" "fuzz/corpus/text/$name"
  cp "$path" "fuzz/corpus/spec/$name"
done
cp tests/ir/*.ir fuzz/corpus/ir/
# Programs as the compiler prints them; specs that leave sizes open print nothing.
cargo build --quiet --bin ntmc
for path in tests/ok/*.ntm specs/pieces/*.ntm; do
  for stage in step adjoint; do
    out="fuzz/corpus/ir/$(basename "$path" .ntm).$stage.ir"
    "${CARGO_TARGET_DIR:-target}/debug/ntmc" ir "$path" --stage $stage > "$out" 2>/dev/null || rm -f "$out"
  done
done
find specs tests -name '*.map.ron' -exec cp {} fuzz/corpus/vectors/ \;
find tests/golden -name '*.safetensors' -size -8k -exec cp {} fuzz/corpus/vectors/ \;
