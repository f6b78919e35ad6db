# Keeps one node: starts its machine (the namespaces that everything of the node lives in) and, when the machine ends or a
# signal comes, as when the program that started the node dies, removes what namespaces do not take with them.
# Arguments: the script that boots the machine, the name of the node's control groups, the node's directory, the folder of
# its programs, and "temporary" for a directory that goes with the node.
boot=$1 groups=$2 directory=$3 programs=$4 lifetime=$5

# Control groups can go when their last process is gone, which the kernel does in its own time.
remove_groups() {
  tries=0
  while found=$(find /sys/fs/cgroup -depth -type d -path "*/$groups*" 2>/dev/null) && [ -n "$found" ]; do
    echo "$found" | xargs rmdir 2>/dev/null && continue
    tries=$((tries + 1))
    [ "$tries" -gt 200 ] && break
    sleep 0.05
  done
}

remove_groups
# The kubelet wants to find its group in each hierarchy: one with version 2, several with version 1.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then hierarchies=/sys/fs/cgroup; else hierarchies=$(echo /sys/fs/cgroup/*); fi
for hierarchy in $hierarchies; do mkdir -p "$hierarchy/$groups"; done
# SIGKILL for the first process of the machine ends them all; the last one takes mounts, interfaces and packet rules along.
trap 'kill -KILL "$machine"' TERM INT HUP
setpriv --pdeathsig=KILL unshare --pid --kill-child=KILL --net --mount --propagation=private --mount-proc \
  sh -c "$boot" boot "$directory" "$programs" &
machine=$!
echo "$machine" > "$directory/machine.new" && mv "$directory/machine.new" "$directory/machine.pid"
while kill -0 "$machine" 2>/dev/null; do wait "$machine"; done
remove_groups

find "$directory" -mindepth 1 -maxdepth 1 ! -name logs ! -name .tributary-node -exec rm -rf {} +
if [ "$lifetime" = temporary ]; then rm -rf "$directory"; fi
