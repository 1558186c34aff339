#!/usr/bin/env bash
# Runs the node sensor's capture test on the kernels of Debian's releases, each in a machine emulated by qemu.
#
#   tests/kernel-matrix/run.sh [--capture PROGRAM] [--refresh] [--record] [SERIES...]
#
# SERIES is 5.10, 6.1 or 6.12; all of them unless told otherwise. PROGRAM is the compiled capture test; without it,
# it is built. Kernels are Debian's packages, fetched once into ${XDG_CACHE_HOME:-~/.cache}/defender/kernels and not
# installed; --refresh fetches them anew. No root is needed, and no KVM.
#
# verified.tsv holds how many instructions each kernel's verifier went through for each program. A program that differs
# by over a tenth, or is new, is shown; --record writes the file anew. Kernels before 5.16 do not tell.
#
# Ends with "N passed, N failed", and with an error if anything failed, took too long or gave no verdict.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
. "$here/machine.sh"
seconds_a_kernel=1500

# Shows programs whose verification grew or shrank by over a tenth.
compare_verified() {
    local series=$1 log=$2
    awk -v series="$series" '
        FILENAME == ARGV[1] { if ($1 == series) known[$2] = $3; next }
        $1 != "verified" { next }
        !($2 in known) { print "  verifier: " $2 " is new, " $3 " instructions"; next }
        $3 > 1.1 * known[$2] || $3 < 0.9 * known[$2] { print "  verifier: " $2 " took " $3 " instructions, " known[$2] " on record" }
    ' "$here/verified.tsv" "$log"
}

record_verified() {
    local series=$1 log=$2 kept=$scratch/verified
    { awk -v series="$series" '$1 != series' "$here/verified.tsv"
      awk -v series="$series" -v OFS='\t' '$1 == "verified" { print series, $2, $3 }' "$log"; } | sort -V >"$kept"
    cp "$kept" "$here/verified.tsv"
}

build_capture() {
    local messages
    messages=$(cd "$repository" && cargo test --quiet --no-run --package collector-ds --test capture \
        --message-format json) || die "the capture test can't be built"
    sed -n 's/.*"executable":"\([^"]*\/capture-[^"]*\)".*/\1/p' <<<"$messages" | tail -n 1
}

# Prints what a machine said, and adds to the totals.
judge() {
    local series=$1 log=$2 result
    grep -aE '^(kernel |hook |loaded in |an exec was read |verdict )|\.\.\. FAILED$' "$log" | sed "s/^/  /" || true
    result=$(grep -aoE 'test result: .* [0-9]+ passed; [0-9]+ failed' "$log" || true)
    if [[ $result =~ ([0-9]+)\ passed\;\ ([0-9]+)\ failed ]] && grep -aq '^verdict ' "$log"; then
        echo "shown: kernel $series booted, eBPF loaded: ${BASH_REMATCH[1]} capture tests passed, ${BASH_REMATCH[2]} failed"
        passed=$((passed + BASH_REMATCH[1]))
        failed=$((failed + BASH_REMATCH[2]))
        if [ "${BASH_REMATCH[2]}" -eq 0 ] && [ "${BASH_REMATCH[1]}" -gt 0 ] && grep -aq '^verdict 0 ' "$log"; then
            return
        fi
        [ "${BASH_REMATCH[2]}" -gt 0 ] || failed=$((failed + 1))
    else
        echo "  $series: no verdict from a machine that ran for $ran s, of $seconds_a_kernel s that it had"
        failed=$((failed + 1))
    fi
    sed 's/^/  | /' "$log" | tail -n 200
}

capture=
record=
all_series=()
while [ $# -gt 0 ]; do
    case $1 in
    --capture)
        [ $# -ge 2 ] || die "--capture needs the path of the compiled test"
        capture=$2
        shift
        ;;
    --refresh) rm -rf "$cache" ;;
    --record) record=yes ;;
    -*) die "unknown flag $1" ;;
    *)
        source_of "$1" >/dev/null
        all_series+=("$1")
        ;;
    esac
    shift
done
[ ${#all_series[@]} -gt 0 ] || all_series=(5.10 6.1 6.12)

require_tools
[ -n "$capture" ] || capture=$(build_capture)
[ -x "$capture" ] || die "there is no program $capture"
begin_files "$here/init" mount mkdir insmod uname cut echo poweroff true sleep kill
add_program "$capture" capture
passed=0
failed=0
for series in "${all_series[@]}"; do
    fetch "$series"
    echo "$(cat "$cache/$series/package"):"
    boot "$series" "$scratch/log" "$seconds_a_kernel" "" -smp 2
    judge "$series" "$scratch/log"
    [ -z "$record" ] || record_verified "$series" "$scratch/log"
    compare_verified "$series" "$scratch/log"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
