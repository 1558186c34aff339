#!/usr/bin/env bash
# What the sensor's programs cost the work of a node, by the hooks that a kernel offers: instructions, not time.
#
#   tests/kernel-matrix/hooks.sh FOLDER [SERIES...]
#
# FOLDER has the programs acts and collector-ds. SERIES is 5.10, 6.1 or 6.12; 6.1 and 6.12 unless told otherwise. The
# machine has one processor whose clock goes on by a nanosecond with each instruction (qemu's icount), so that what acts
# measures are instructions, the kernel's and its own. The sensor has the rules that we ship; it is stopped while acts
# are measured, and reads its ring between them: what is counted are its programs in the kernel alone.
#
# Prints "cost SERIES HOOKS ACT bare|sensed INSTRUCTIONS"; HOOKS is lsm, function or calls. DEFENDER_HOOKS names those that
# are to be measured, all without it. Debian's 5.10 has no security hooks for eBPF.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
. "$here/machine.sh"
seconds_a_machine=900

# Debian's own, but for what the sets differ in.
modules=lockdown,yama,loadpin,safesetid,apparmor

parameters_of() {
    case $1 in
    lsm) echo "lsm=$modules,bpf hooks=lsm" ;;
    function) echo "lsm=$modules hooks=function" ;;
    calls) echo "lsm=$modules hooks=calls" ;;
    esac
}

[ $# -ge 1 ] || die "which folder has the programs?"
folder=$1
shift
for series in "$@"; do
    source_of "$series" >/dev/null
done
[ $# -gt 0 ] || set -- 6.1 6.12

require_tools
begin_files "$here/init-hooks" mount mkdir uname poweroff sleep cat grep sed ip sysctl wget true
add_program "$folder/acts" acts
add_program "$folder/collector-ds" collector-ds
cp -r "$repository/rules" "$scratch/files/rules"
echo "rules: { paths: [/rules] }" >"$scratch/files/collector-ds.yaml"
echo "127.0.0.1 localhost" >"$scratch/files/etc/hosts"
echo "root:*:::::::" >"$scratch/files/etc/shadow"
echo "root:x:0:0:root:/root:/bin/sh" >"$scratch/files/etc/passwd"
for series in "$@"; do
    fetch "$series"
    for hooks in ${DEFENDER_HOOKS:-lsm function calls}; do
        [ "$series $hooks" != "5.10 lsm" ] || continue
        boot "$series" "$scratch/log" "$seconds_a_machine" "$(parameters_of "$hooks")" -smp 1 -icount shift=0,sleep=off
        sed -n "s/^cost /cost $series $hooks /p; s/^hook /hook $series $hooks /p" "$scratch/log"
        if [ "$(grep -c '^cost .* sensed' "$scratch/log")" -ne 7 ]; then
            sed 's/^/  | /' "$scratch/log" | tail -n 100
            die "$series with $hooks: not measured"
        fi
    done
done
