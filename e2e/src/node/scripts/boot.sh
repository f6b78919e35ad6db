# The first process of a node's machine. In its own mount namespace it gives the node the paths that the programs are
# used to, so that nothing of the host's is written to. Arguments: the node's directory, the folder of its programs.
set -e
mkdir -p "$1/tmp" "$1/log" "$1/cni"
# Both are mounted before anything is hidden that they might lie under.
mount --bind "$1" /mnt
exec 3< "$2"
mount -t tmpfs tmpfs /run
mkdir -p /run/node /run/programs /run/lock
mount --bind /proc/self/fd/3 /run/programs
exec 3<&-
mount --move /mnt /run/node
mount --bind /run/node/tmp /tmp
mount --bind /run/node/log /var/log
mkdir -p /var/lib/cni
mount --bind /run/node/cni /var/lib/cni
mount --make-rshared /
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
: > /run/node/booted
exec /run/programs/pause
