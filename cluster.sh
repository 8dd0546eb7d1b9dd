#!/usr/bin/env bash
# A local cluster for trying things out: node N is member nN, clients reach it at 127.0.0.1:7100+N, its peers at 7200+N,
# its data lies under .holdfast/nN. Verbs may be repeated, and run at the same time for different nodes. A process is
# signalled only when its command line shows that it is the node meant, never by its number alone.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: ./cluster.sh VERB
  up [3|5]   installs and builds when needed, starts what does not run, waits until all serve
  down       stops all nodes in order
  status     a table of all nodes
  start N    starts node N and waits until it answers, not until it has a majority
  stop N     stops node N in order: it hands leadership over and answers who waits
  kill N     ends node N at once (SIGKILL)
  logs [N]   the end of the log of node N, or of all
  wipe       stops all nodes and deletes their data
  replace N  tells the cluster that node N comes with an empty folder because its disk is lost, and starts it
  backup FILE         writes everything committed to a new file, while the nodes go on
  restore FILE [3|5]  starts a new cluster from such a file where there is no data yet
environment: HOLDFAST_HTTP_BASE (7100), HOLDFAST_PEER_BASE (7200), HOLDFAST_FOLDER (.holdfast beside this script), and the
variables of a node (see --help of build/src/main.js) that this script does not set
TEXT
}

say() { printf '%s\n' "$*"; }
fail() { printf 'cluster.sh: %s\n' "$*" >&2; exit 1; }

# The one spelling of a path, whatever links and dots lead to it: nodes are found again by their command lines.
spelled() {
  if [[ -d $1 ]]; then (cd "$1" && pwd -P)
  else say "$(cd "$(dirname "$1")" 2>/dev/null && pwd -P || dirname "$1")/$(basename "$1")"; fi
}

root=$(spelled "$(dirname "${BASH_SOURCE[0]}")")
main=$root/build/src/main.js
folder=${HOLDFAST_FOLDER:-$root/.holdfast}
[[ $folder == /* ]] || folder=$PWD/$folder
folder=$(spelled "$folder")

# ---- what there is

# How many nodes the cluster in the folder has, 0 when there is none, and its base ports: those it was made with, so
# that a later verb finds it whatever its environment says.
size=0 http_base=${HOLDFAST_HTTP_BASE:-7100} peer_base=${HOLDFAST_PEER_BASE:-7200}
if [[ -f $folder/cluster ]]; then
  read -r size http_base peer_base <"$folder/cluster"
  [[ ${HOLDFAST_HTTP_BASE:-$http_base} == "$http_base" && ${HOLDFAST_PEER_BASE:-$peer_base} == "$peer_base" ]] ||
    fail "the cluster in $folder has the base ports $http_base and $peer_base"
fi

members() {
  local n list=()
  for ((n = 1; n <= size; n++)); do list+=("n$n=127.0.0.1:$((peer_base + n))"); done
  (IFS=,; say "${list[*]}")
}

url() { say "http://127.0.0.1:$((http_base + $1))"; }

# The command line of a process, its arguments separated by spaces; empty when it is gone (or a zombie).
command_of() {
  if [[ -d /proc/self ]]; then tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" || true
  else ps -o args= -p "$1" 2>/dev/null || true; fi
}

# Prints the process of node N if it runs.
pid_of() {
  local pid
  pid=$(cat "$folder/n$1.pid" 2>/dev/null) || return 1
  [[ -n $pid && "$(command_of "$pid") " == *" $main --id n$1 "*" --data $folder/n$1 "* ]] || return 1
  say "$pid"
}

is_running() { pid_of "$1" >/dev/null; }

# Prints the status code of GET http://127.0.0.1:PORT/PATH; nothing when there is no answer.
ask() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET %s HTTP/1.0\r\n\r\n' "$2" >&3
    IFS=' ' read -r -t 2 _ code _ <&3 && say "$code"
  ) 2>/dev/null || true
}

# ---- one node

# Runs the rest of the arguments while no other verb works on node N. (Without flock, as on some systems, nobody waits.)
with_node() {
  local n=$1
  shift
  if command -v flock >/dev/null; then
    ( flock 9; "$@" "$n" ) 9>"$folder/n$n.lock"
  else
    "$@" "$n"
  fi
}

start_node() {
  local n=$1 log=$folder/n$1.log port=$((http_base + $1)) pid
  if is_running "$n"; then
    wait_healthy "$n" "$(pid_of "$n")"
    return
  fi
  [[ -z $(ask "$port" /healthz) ]] || fail "port $port is in use by something else (HOLDFAST_HTTP_BASE sets another base)"
  mkdir -p "$folder/n$n"
  # Lock and terminal stay with us: the node must not hold the one, nor end with the other.
  setsid_if_there node "$main" --id "n$n" --members "$(members)" --http "127.0.0.1:$port" \
    --http-url "$(url "$n")" --peer-listen "127.0.0.1:$((peer_base + n))" --data "$folder/n$n" \
    </dev/null >>"$log" 2>&1 9>&- &
  pid=$!
  say "$pid" >"$folder/n$n.pid"
  wait_healthy "$n" "$pid"
}

setsid_if_there() {
  if command -v setsid >/dev/null; then exec setsid "$@"; else exec "$@"; fi
}

wait_healthy() {
  local n=$1 pid=$2 deadline=$((SECONDS + 60))
  until [[ $(ask "$((http_base + n))" /healthz) == 200 ]]; do
    if ! kill -0 "$pid" 2>/dev/null; then
      say "n$n ended at its start; the last lines of $folder/n$n.log:" >&2
      tail -n 5 "$folder/n$n.log" >&2
      exit 1
    fi
    ((SECONDS < deadline)) || fail "n$n does not answer after 60 s; see ./cluster.sh logs $n"
    sleep 0.1
  done
}

# Sends SIGNAL to node N and waits until it is gone.
signal_node() {
  local signal=$1 n=$2 pid deadline=$((SECONDS + 10))
  if ! pid=$(pid_of "$n"); then
    say "n$n is down"
    return
  fi
  kill "-$signal" "$pid" 2>/dev/null || true
  while is_running "$n"; do
    if ((SECONDS >= deadline)); then
      say "n$n did not stop in 10 s: killing it"
      kill -KILL "$pid" 2>/dev/null || true
      deadline=$((SECONDS + 10))
    fi
    sleep 0.05
  done
  rm -f "$folder/n$n.pid"
  say "n$n is down"
}
stop_node() { signal_node TERM "$1"; }
kill_node() { signal_node KILL "$1"; }

# ---- all nodes

# Runs `with_node` for every node at the same time; fails when one of them fails.
for_all() {
  local n status=0 jobs=()
  for ((n = 1; n <= size; n++)); do
    with_node "$n" "$1" &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || status=1; done
  return $status
}

any_running() {
  local n
  for ((n = 1; n <= size; n++)); do is_running "$n" && return 0; done
  return 1
}

# Never under the feet of nodes that run: they keep the build that they were started with.
build() {
  [[ -f $main ]] && any_running && return
  command -v node >/dev/null || fail 'Node.js 20.20 or later is needed'
  node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major * 100 + +minor < 2020 ? 1 : 0)' ||
    fail "Node.js 20.20 or later is needed, this is $(node --version)"
  node "$root/scripts/setup.mjs" --build
}

up() {
  local wanted=${1:-$((size > 0 ? size : 3))} n
  [[ $wanted == 3 || $wanted == 5 ]] || fail 'a local cluster has 3 or 5 nodes'
  ((size == 0 || size == wanted)) || fail "there is a cluster of $size nodes in $folder; ./cluster.sh wipe deletes it"
  build
  mkdir -p "$folder"
  folder=$(spelled "$folder")
  size=$wanted
  say "$size $http_base $peer_base" >"$folder/cluster"
  for_all start_node
  for ((n = 1; n <= size; n++)); do wait_ready "$n"; done
  say "$size nodes serve, any of them takes every call (API: $(url 1)/docs):"
  for ((n = 1; n <= size; n++)); do say "  n$n  $(url "$n")"; done
  say 'Take a lock:'
  say "  curl --json '{\"ttlMs\": 30000}' $(url 1)/v1/locks/hello/acquire"
}

wait_ready() {
  local n=$1 deadline=$((SECONDS + 60))
  until [[ $(ask "$((http_base + n))" /readyz) == 200 ]]; do
    is_running "$n" || { tail -n 5 "$folder/n$n.log" >&2; fail "n$n ended"; }
    ((SECONDS < deadline)) || fail "n$n is not ready after 60 s; see ./cluster.sh status and ./cluster.sh logs $n"
    sleep 0.1
  done
}

down() {
  for_all stop_node
}

status() {
  local n rows=()
  if ((size == 0)); then
    say "no cluster in $folder; ./cluster.sh up starts one"
    return
  fi
  for ((n = 1; n <= size; n++)); do
    rows+=("n$n=$(url "$n")=$(is_running "$n" && echo alive || echo down)")
  done
  node "$root/scripts/cluster-status.mjs" "${rows[@]}"
}

logs() {
  local n
  if [[ -n ${1:-} ]]; then
    tail -n 100 "$folder/n$1.log" 2>/dev/null || say "n$1 has no log yet"
    return
  fi
  for ((n = 1; n <= size; n++)); do
    say "==> n$n"
    tail -n 20 "$folder/n$n.log" 2>/dev/null || true
  done
}

# Deletes only what this script and its nodes made.
wipe() {
  local n
  for_all stop_node
  for ((n = 1; n <= size; n++)); do
    [[ -z $(ask "$((http_base + n))" /healthz) ]] || fail "something still answers at $(url "$n"): nothing is deleted"
  done
  for ((n = 1; n <= size; n++)); do rm -rf "$folder/n$n" "$folder/n$n".{log,pid,lock}; done
  rm -f "$folder/cluster"
  rmdir "$folder" 2>/dev/null || true
  say "no cluster in $folder any more"
}

# A node with an empty folder says which disk it is when it is refused; then the others are told, and it starts again.
replace() {
  local n=$1 other urls=() line deadline=$((SECONDS + 60))
  (with_node "$n" start_node) >/dev/null 2>&1 || true
  while is_running "$n"; do
    [[ $(ask "$((http_base + n))" /readyz) != 200 ]] || { say "n$n is a member and serves: there is nothing to replace"; return; }
    ((SECONDS < deadline)) || fail "n$n is neither refused nor ready; see ./cluster.sh logs $n"
    sleep 0.1
  done
  line=$(tail -n 1 "$folder/n$n.log" 2>/dev/null || true)
  [[ $line =~ ^holdfast:\ stranger:.*\"incarnation\":\"([0-9a-f]{32})\" ]] || {
    say "$line" >&2
    fail "n$n was not refused for its empty folder; only such a node can be replaced"
  }
  for ((other = 1; other <= size; other++)); do ((other == n)) || urls+=("$(url "$other")"); done
  node "$root/scripts/cluster-replace.mjs" "n$n" "${BASH_REMATCH[1]}" "${urls[@]}"
  with_node "$n" start_node
  wait_ready "$n"
  say "n$n answers at $(url "$n")"
}

backup() {
  local file=${1:-} n urls=()
  [[ -n $file ]] || fail 'into which file?'
  [[ ! -e $file ]] || fail "$file exists"
  node_number 1 >/dev/null
  for ((n = 1; n <= size; n++)); do urls+=("$(url "$n")"); done
  node "$root/scripts/cluster-backup.mjs" "$file" "${urls[@]}"
}

# Nodes that have data are no new cluster: they would refuse the file, or go on without it.
restore() {
  local file=${1:-} n
  [[ -f $file ]] || fail "which file? ${file:-none} is none"
  for n in 1 2 3 4 5; do
    [[ -z $(ls -A "$folder/n$n" 2>/dev/null) ]] || fail "there is data in $folder/n$n; ./cluster.sh wipe deletes it"
  done
  HOLDFAST_RESTORE=$(spelled "$file")
  export HOLDFAST_RESTORE
  up "${2:-}"
}

# The number of a node that exists.
node_number() {
  ((size > 0)) || fail "no cluster in $folder; ./cluster.sh up starts one"
  [[ ${1:-} =~ ^n?([1-9])$ && ${BASH_REMATCH[1]} -le $size ]] || fail "which node? 1 to $size"
  say "${BASH_REMATCH[1]}"
}

verb=${1:-}
case $verb in
  up) up "${2:-}" ;;
  down) down ;;
  status) status ;;
  start)
    n=$(node_number "${2:-}")
    build
    with_node "$n" start_node
    say "n$n answers at $(url "$n")"
    ;;
  stop | kill)
    n=$(node_number "${2:-}")
    with_node "$n" "${verb}_node"
    ;;
  replace)
    n=$(node_number "${2:-}")
    build
    replace "$n"
    ;;
  logs) logs "${2:+$(node_number "$2")}" ;;
  wipe) wipe ;;
  backup) backup "${2:-}" ;;
  restore) restore "${2:-}" "${3:-}" ;;
  help | --help | -h) usage ;;
  *) usage >&2; exit 2 ;;
esac
