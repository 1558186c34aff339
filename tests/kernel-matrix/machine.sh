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

# What the script itself needs, and the package that has it. Sets $emulator.
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
    choose_emulator
}

# The qemu that is installed, unless it is older than 8.1. Those translate a page of the guest's code while another
# processor writes to it, and then go on to run what they read: int3 where the kernel has just switched a static key,
# and its panic ("Oops: int3"), now and then. Switching sched_schedstats in a loop shows it in seconds.
choose_emulator() {
    local version folder=$cache/qemu
    version=$(qemu-system-x86_64 --version | sed -n 's/^QEMU emulator version \([0-9.]*\).*/\1/p')
    if printf '8.1\n%s\n' "$version" | sort --version-sort --check=quiet; then
        emulator=(qemu-system-x86_64)
        return
    fi
    fetch_emulator "$folder"
    emulator=("$folder/usr/bin/qemu-system-x86_64" -L "$folder/usr/share/qemu" -L "$folder/usr/share/seabios")
    "${emulator[@]}" --version >/dev/null || die "the qemu in $folder does not run here: install qemu 8.1 or newer"
}

# Debian's newer qemu for the release that has the old one: its libraries are those of the one that is installed.
fetch_emulator() {
    local folder=$1
    [ -e "$folder" ] && return
    use_source "$mirror bookworm-backports main"
    download "$scratch/qemu" qemu-system-x86 qemu-system-data seabios
    mkdir -p "$scratch/unpacked" "$cache"
    for archive in "$scratch"/qemu/*.deb; do
        dpkg-deb --extract "$archive" "$scratch/unpacked"
    done
    rm -rf "$cache/new"
    mv "$scratch/unpacked" "$cache/new"
    mv "$cache/new" "$folder"
    rm -rf "$scratch/qemu"
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

# Makes own_apt read one source alone.
use_source() {
    [ -e "$keyring" ] || die "$keyring is missing: apt-get install debian-archive-keyring"
    rm -rf "$scratch/apt"
    mkdir -p "$scratch/apt/lists/partial" "$scratch/apt/cache/archives/partial"
    echo "deb [arch=amd64 signed-by=$keyring] $1" >"$scratch/apt/sources.list"
    own_apt apt-get update >"$scratch/apt/log" 2>&1 || die "$(cat "$scratch/apt/log")"
}

# Puts packages of the source into a folder.
download() {
    local folder=$1
    shift
    mkdir -p "$folder"
    (cd "$folder" && own_apt apt-get download "$@" >"$scratch/apt/log" 2>&1) || die "$(cat "$scratch/apt/log")"
}

# The newest kernel of a series: $cache/SERIES/{vmlinuz,overlay.ko,package}.
fetch() {
    local series=$1 package
    [ -e "$cache/$series/package" ] && return
    use_source "$(source_of "$series")"
    package=$(own_apt apt-cache pkgnames "linux-image-$series" |
        grep -E "^linux-image-${series//./\\.}\.[0-9.]*[^-]*(-[0-9]+)?-amd64$" | sort -V | tail -n 1) ||
        die "Debian has no kernel $series in $(source_of "$series")"
    download "$scratch/kernel" "$package"
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
# follows goes to qemu. Sets $ran, the seconds it took.
boot() {
    local series=$1 log=$2 seconds=$3 parameters=$4 began=$SECONDS
    shift 4
    cp "$cache/$series/overlay.ko" "$scratch/files/overlay.ko"
    (cd "$scratch/files" && find . | cpio --quiet -o -H newc) >"$scratch/initramfs"
    timeout "$seconds" "${emulator[@]}" -accel tcg -m 1024 -nographic -no-reboot -nodefaults \
        -serial stdio -kernel "$cache/$series/vmlinuz" -initrd "$scratch/initramfs" \
        -append "console=ttyS0 quiet panic=-1 $parameters" "$@" </dev/null 2>&1 | tr -d '\r' >"$log" || true
    ran=$((SECONDS - began))
}
