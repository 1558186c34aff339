#!/usr/bin/env bash
# Runs the node sensor's capture test on the kernels of Debian's releases, each in a machine emulated by qemu.
#
#   tests/kernel-matrix/run.sh [--capture PROGRAM] [--refresh] [--record] [SERIES...]
#
# SERIES is 5.10, 6.1 or 6.12; 6.1 and 6.12 unless told otherwise. PROGRAM is the compiled capture test; without it,
# it is built. Kernels are Debian's packages, fetched once into ${XDG_CACHE_HOME:-~/.cache}/defender/kernels and not
# installed; --refresh fetches them anew. No root is needed, and no KVM.
#
# verified.tsv holds how many instructions each kernel's verifier went through for each program. A program that differs
# by over a tenth, or is new, is shown; --record writes the file anew.
#
# Ends with "N passed, N failed", and with an error if anything failed, took too long or gave no verdict.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/defender/kernels
seconds_a_kernel=1500
mirror=http://deb.debian.org/debian
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

die() {
    echo "kernel-matrix: $*" >&2
    exit 1
}

# What the script itself needs, and the package that has it.
require_tools() {
    local tool package
    while read -r tool package; do
        command -v "$tool" >/dev/null || die "$tool is missing: apt-get install $package"
    done <<-'TOOLS'
		qemu-system-x86_64 qemu-system-x86
		busybox busybox-static
		cpio cpio
		dpkg-deb dpkg
		xz xz-utils
		strip binutils
	TOOLS
    if ldd "$(command -v busybox)" >/dev/null 2>&1; then
        die "busybox needs shared libraries: apt-get install busybox-static"
    fi
}

# Where Debian has a series.
source_of() {
    case $1 in
    5.10) echo "http://deb.debian.org/debian-security bullseye-security main" ;;
    6.1) echo "$mirror bookworm main" ;;
    6.12) echo "$mirror bookworm-backports main" ;;
    *) die "unknown series $1: choose among 5.10, 6.1, 6.12" ;;
    esac
}

# apt with lists and caches of its own, so that the machine's are left alone.
own_apt() {
    local command=$1
    shift
    "$command" -q -o Dir::Etc::sourcelist="$scratch/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$scratch/apt/lists" -o Dir::Cache="$scratch/apt/cache" \
        -o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

# The newest kernel of a series: $cache/SERIES/{vmlinuz,overlay.ko,package}.
fetch() {
    local series=$1 package
    [ -e "$cache/$series/package" ] && return
    [ -e "$keyring" ] || die "$keyring is missing: apt-get install debian-archive-keyring"
    rm -rf "$scratch/apt"
    mkdir -p "$scratch/apt/lists/partial" "$scratch/apt/cache/archives/partial" "$scratch/kernel"
    echo "deb [arch=amd64 signed-by=$keyring] $(source_of "$series")" >"$scratch/apt/sources.list"
    own_apt apt-get update >"$scratch/apt/log" 2>&1 || die "$(cat "$scratch/apt/log")"
    package=$(own_apt apt-cache pkgnames "linux-image-$series" |
        grep -E "^linux-image-${series//./\\.}\.[0-9.]*[^-]*(-[0-9]+)?-amd64$" | sort -V | tail -n 1) ||
        die "Debian has no kernel $series in $(source_of "$series")"
    (cd "$scratch/kernel" && own_apt apt-get download "$package" >"$scratch/apt/log" 2>&1) ||
        die "$(cat "$scratch/apt/log")"
    unpack "$series" "$scratch"/kernel/*.deb
    rm -rf "$scratch/kernel"
}

# A folder that is there is whole: it is filled elsewhere and moved.
unpack() {
    local series=$1 archive=$2 whole=$scratch/unpacked module
    mkdir -p "$whole"
    dpkg-deb --fsys-tarfile "$archive" | tar -x -C "$whole" --wildcards './boot/vmlinuz-*' '*/overlay.ko*'
    mkdir -p "$cache/new"
    mv "$whole"/boot/vmlinuz-* "$cache/new/vmlinuz"
    module=$(find "$whole" -name 'overlay.ko*')
    case $module in
    *.xz) xz -dc "$module" >"$cache/new/overlay.ko" ;;
    *) mv "$module" "$cache/new/overlay.ko" ;;
    esac
    basename "$archive" .deb >"$cache/new/package"
    rm -rf "$whole" "${cache:?}/$series"
    mv "$cache/new" "$cache/$series"
}

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

# The files of the machine, but for the kernel's module: the capture test with its libraries, busybox as everything else.
prepare_files() {
    local capture=$1 files=$scratch/files applet library
    mkdir -p "$files"/{bin,dev,etc,proc,root,sys,tmp,usr}
    cp "$(command -v busybox)" "$files/bin/busybox"
    for applet in sh mount mkdir insmod uname cut echo poweroff true sleep kill; do
        ln -s busybox "$files/bin/$applet"
    done
    cp "$here/init" "$files/init"
    strip -o "$files/capture" "$capture"
    while read -r library; do
        install -D "$library" "$files$library"
    done < <(ldd "$capture" | grep -o '/[^ ]*')
}

run_machine() {
    local series=$1 log=$2
    cp "$cache/$series/overlay.ko" "$scratch/files/overlay.ko"
    (cd "$scratch/files" && find . | cpio --quiet -o -H newc) >"$scratch/initramfs"
    timeout "$seconds_a_kernel" qemu-system-x86_64 -accel tcg -smp 2 -m 1024 -nographic -no-reboot -nodefaults \
        -serial stdio -kernel "$cache/$series/vmlinuz" -initrd "$scratch/initramfs" \
        -append "console=ttyS0 quiet panic=-1" </dev/null 2>&1 | tr -d '\r' >"$log" || true
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
        echo "  $series: no verdict within $seconds_a_kernel s"
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
[ ${#all_series[@]} -gt 0 ] || all_series=(6.1 6.12)

require_tools
[ -n "$capture" ] || capture=$(build_capture)
[ -x "$capture" ] || die "there is no program $capture"
prepare_files "$capture"
passed=0
failed=0
for series in "${all_series[@]}"; do
    fetch "$series"
    echo "$(cat "$cache/$series/package"):"
    run_machine "$series" "$scratch/log"
    judge "$series" "$scratch/log"
    [ -z "$record" ] || record_verified "$series" "$scratch/log"
    compare_verified "$series" "$scratch/log"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
