"""Command line of the local stack: `python -m deploy.stack up`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.stack import DEFAULT_TOPICS, Stack, StackError, default_cache, prepare
from deploy.stack.kafka import parse_topic

NODE_COMMANDS: Final = {
    "kafka-stop": (Stack.kafka_stop, "shut Kafka down cleanly; records stay"),
    "kafka-kill": (Stack.kafka_kill, "kill Kafka without a clean shutdown"),
    "kafka-start": (Stack.kafka_start, "start Kafka again on the same records and port"),
}
STORE_COMMANDS: Final = {
    "minio-stop": (Stack.minio_stop, "shut MinIO down cleanly; objects stay"),
    "minio-kill": (Stack.minio_kill, "kill MinIO without a clean shutdown"),
    "minio-start": (Stack.minio_start, "start MinIO again on the same objects and port"),
}
MEBIBYTE: Final = 1024 * 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0 on success, 1 on failure, 3 for `status` when a server is not alive."""
    chosen = _parser().parse_args(arguments)
    try:
        return _run(chosen)
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.stack", description=__doc__)
    parser.add_argument("--cache", type=Path, default=default_cache(), help="built servers (default: %(default)s)")
    parser.add_argument("--state", type=Path, help="this stack's directory (default: CACHE/stack)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="fetch and build the servers, and start nothing")
    up = commands.add_parser("up", help="start Kafka and MinIO, and wait until both are ready")
    up.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    up.add_argument("--kafka-port", type=int, help="the first broker's port (default: a free one)")
    up.add_argument("--minio-port", type=int, help="(default: a free one)")
    up.add_argument("--bucket", default="audio", help="created with versions and notifications (default: audio)")
    up.add_argument(
        "--notify-topic",
        default="audio.objects",
        help="topic of notifications about new objects (default: audio.objects)",
    )
    up.add_argument("--topics", type=parse_topic, nargs="*", default=DEFAULT_TOPICS, metavar="NAME[:PARTITIONS]")
    down = commands.add_parser("down", help="stop the servers")
    down.add_argument("--purge", action="store_true", help="also remove records, objects and credentials")
    commands.add_parser("status", help="show which servers are alive")
    for name, (_, text) in NODE_COMMANDS.items():
        commands.add_parser(name, help=text).add_argument("--node", type=int, help="one broker (default: all)")
    for name, (_, text) in STORE_COMMANDS.items():
        commands.add_parser(name, help=text)
    return parser


def _run(chosen: argparse.Namespace) -> int:
    state = chosen.state or chosen.cache / "stack"
    if chosen.command == "build":
        servers = prepare(chosen.cache)
        print(f"Kafka: {servers.kafka_jars}\nMinIO: {servers.minio}")
        return 0
    if chosen.command == "up":
        _up(chosen, state)
        return 0
    stack = Stack.at(state, cache=chosen.cache)
    if chosen.command == "down":
        stack.down(purge=chosen.purge)
    elif chosen.command in NODE_COMMANDS:
        NODE_COMMANDS[chosen.command][0](stack, chosen.node)
    elif chosen.command in STORE_COMMANDS:
        STORE_COMMANDS[chosen.command][0](stack)
    _show(stack)
    alive = all(server.alive for server in stack.status())
    return 3 if chosen.command == "status" and not alive else 0


def _up(chosen: argparse.Namespace, state: Path) -> None:
    stack = Stack.up(
        state,
        cache=chosen.cache,
        brokers=chosen.brokers,
        kafka_port=chosen.kafka_port,
        minio_port=chosen.minio_port,
        bucket=chosen.bucket,
        notify_topic=chosen.notify_topic,
        topics=chosen.topics,
    )
    print(f"started {', '.join(stack.started)}" if stack.started else "already up and healthy")
    _show(stack)
    print(f"use it:   set -a; . {stack.environment_file}; set +a")
    print(f"drop in:  the bucket {stack.bucket} of {stack.environment['KASCRIBE_S3_ENDPOINT_URL']}")
    print(f"consume:  the topic {chosen.notify_topic}; each object is announced twice")


def _show(stack: Stack) -> None:
    for server in stack.status():
        state = f"pid {server.pid}, {server.resident_bytes // MEBIBYTE} MiB" if server.alive else "not running"
        print(f"{server.name:9} {server.address:26} {state:24} {server.log}")


if __name__ == "__main__":
    sys.exit(main())
