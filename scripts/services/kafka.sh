#!/usr/bin/env bash
# Apache Kafka from the jars of Maven Central, in KRaft mode: see services.sh. `start` makes one broker, or KAFKA_BROKERS of them,
# which are also the controllers; broker 1 listens on PORT.
#   KAFKA_VERSION   another version                 KAFKA_HEAP   a broker's heap
#   KAFKA_LINKS     further listeners, for clients that go through a proxy: for each link, with spaces between them, a
#                   PORT:ADVERTISED of every broker, with commas between them. A client that begins at the advertised port of
#                   one broker is sent to those of the same link
#   KAFKA_REPLICA_LINK   one more link, over which the brokers fetch from each other
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/shared.sh"
version=${KAFKA_VERSION:-4.2.1}
home=$VARVE_SERVICES_CACHE/kafka-$version
heap=${KAFKA_HEAP:-384m}

check_java() {
  need java 'apt-get install --no-install-recommends default-jre-headless'
  local major
  major=$(java -version 2>&1 | sed -nE 's/.*version "([0-9]+).*/\1/p;' | head -n 1)
  [ "${major:-0}" -ge 17 ] || fail "Kafka needs Java 17 and this is ${major:-unknown}. Install it with: apt-get install openjdk-17-jre-headless"
}

install() {
  check_java
  [ ! -f "$home/complete" ] || return 0
  need mvn 'apt-get install --no-install-recommends maven'
  local work
  work=$(mktemp -d "$home.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  sed "s/@version@/$version/" "$here/kafka-pom.xml" >"$work/pom.xml"
  (cd "$work" && mvn -q -B -Dstyle.color=never dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$work/libs")
  touch "$work/complete"
  rm -rf "$home"
  mv "$work" "$home"
  trap - EXIT
}

# configure DIR COUNT PORT: one folder and one properties file a broker. The ports are chosen once.
configure() {
  local dir=$1 count=$2 node ports=("$3") controllers=() voters=()
  for ((node = 1; node <= count; node += 1)); do
    [ "$node" -eq 1 ] || ports+=("$(free_port)")
    controllers+=("$(free_port)")
    voters+=("$node@127.0.0.1:${controllers[-1]}")
  done
  local replicas=$((count < 3 ? count : 3)) links=() link name between=CLIENT
  read -ra links <<<"${KAFKA_LINKS:-}"
  [ -z "${KAFKA_REPLICA_LINK:-}" ] || { links+=("$KAFKA_REPLICA_LINK") && between=LINK${#links[@]}; }
  for ((node = 1; node <= count; node += 1)); do
    mkdir -p "$dir/$node"
    local listeners="CLIENT://127.0.0.1:${ports[node - 1]}" advertised="CLIENT://127.0.0.1:${ports[node - 1]}" protocols=CLIENT:PLAINTEXT
    name=0
    for link in "${links[@]}"; do
      name=$((name + 1))
      link=$(cut -d , -f "$node" <<<"$link")
      listeners+=",LINK$name://127.0.0.1:${link%:*}"
      advertised+=",LINK$name://127.0.0.1:${link#*:}"
      protocols+=",LINK$name:PLAINTEXT"
    done
    cat >"$dir/$node/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=$node
controller.quorum.voters=$(IFS=,; echo "${voters[*]}")
listeners=$listeners,CONTROLLER://127.0.0.1:${controllers[node - 1]}
advertised.listeners=$advertised
listener.security.protocol.map=$protocols,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=$between
log.dirs=$dir/$node/data
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=1
default.replication.factor=$replicas
min.insync.replicas=$((replicas > 1 ? 2 : 1))
offsets.topic.num.partitions=1
offsets.topic.replication.factor=$replicas
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=$replicas
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.segment.bytes=16777216
PROPERTIES
  done
  (IFS=,; echo "${ports[*]/#/127.0.0.1:}") >"$dir/brokers"
  kafka_main -Xmx128m kafka.tools.StorageTool random-uuid >"$dir/cluster-id"
  for ((node = 1; node <= count; node += 1)); do
    kafka_main -Xmx128m kafka.tools.StorageTool format -t "$(cat "$dir/cluster-id")" -c "$dir/$node/server.properties" >/dev/null
  done
  echo "$count" >"$dir/count"
}

# Quick to start rather than quick in the long run: a test's broker lives for minutes.
kafka_main() {
  java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$home/libs/*" -Dlog4j2.configurationFile="$here/kafka-log4j2.properties" "$@"
}

start() {
  local dir port=$2 node
  check_java
  [ -f "$home/complete" ] || fail "Kafka $version is not installed: scripts/services/kafka.sh install"
  mkdir -p "$1"
  dir=$(realpath "$1")
  [ -f "$dir/count" ] || configure "$dir" "${KAFKA_BROKERS:-1}" "$port"
  for ((node = 1; node <= $(cat "$dir/count"); node += 1)); do start_broker "$dir" "$node"; done
  for ((node = 1; node <= $(cat "$dir/count"); node += 1)); do wait_until "$dir" "$node/log" 60 all_answer "$dir/$node"; done
  echo "VARVE_TEST_KAFKA=$(cat "$dir/brokers")" >"$dir/env"
}

start_broker() {
  spawn "$1" "$2/log" java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ActiveProcessorCount=2 "-Xms128m" "-Xmx$heap" \
    -cp "$home/libs/*" -Dlog4j2.configurationFile="$here/kafka-log4j2.properties" kafka.Kafka "$1/$2/server.properties"
}

# all_answer DIR: every listener of a broker. It opens them one after the other, and ends when it cannot.
all_answer() {
  local port
  for port in $(grep '^listeners=' "$1/server.properties" | grep -oE '[0-9]+(,|$)'); do answers "${port%,}" || return 1; done
}

# One broker that ended, on its port and its data, while the others go on.
restart_broker() {
  local dir node=$2 pid
  dir=$(realpath "$1")
  start_broker "$dir" "$node"
  # Its line among the process ids stays its own.
  pid=$(tail -n 1 "$dir/pid")
  sed -i "\$d;${node}s/.*/$pid/" "$dir/pid"
  until all_answer "$dir/$node"; do
    owns "$dir" "$pid" || { tail -n 20 "$dir/$node/log" >&2; fail "the broker ended; the lines above are the end of its log"; }
    sleep 0.1
  done
}

case ${1:-} in
  install) install ;;
  start) start "$2" "$3" ;;
  restart-broker) restart_broker "$2" "$3" ;;
  *) fail 'install | start DIR PORT | restart-broker DIR NUMBER' ;;
esac
