# Debian's kernels, and the machines that boot them: what the scripts of this folder share. To be sourced by bash.

repository=$(cd "$here/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/defender/kernels
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

# Begins the machine's files: busybox with the named applets, and process 1.
begin_files() {
    local init=$1 files=$scratch/files applet
    shift
    mkdir -p "$files"/{bin,dev,etc,proc,root,run,sys,tmp,usr}
    cp "$(command -v busybox)" "$files/bin/busybox"
    for applet in sh "$@"; do
        ln -s busybox "$files/bin/$applet"
    done
    install "$init" "$files/init"
    cp "$here/mounts" "$files/mounts"
}

# A program below the machine's root, with the libraries that it needs.
add_program() {
    local program=$1 name=$2 files=$scratch/files library
    strip -o "$files/$name" "$program"
    while read -r library; do
        install -D "$library" "$files$library"
    done < <(ldd "$program" 2>/dev/null | grep -o '/[^ ]*')
}

# Boots a machine with the files and waits for its end, at most so many seconds; its console goes to the log. What
# follows goes to qemu.
boot() {
    local series=$1 log=$2 seconds=$3 parameters=$4
    shift 4
    cp "$cache/$series/overlay.ko" "$scratch/files/overlay.ko"
    (cd "$scratch/files" && find . | cpio --quiet -o -H newc) >"$scratch/initramfs"
    timeout "$seconds" qemu-system-x86_64 -accel tcg -m 1024 -nographic -no-reboot -nodefaults \
        -serial stdio -kernel "$cache/$series/vmlinuz" -initrd "$scratch/initramfs" \
        -append "console=ttyS0 quiet panic=-1 $parameters" "$@" </dev/null 2>&1 | tr -d '\r' >"$log" || true
}
