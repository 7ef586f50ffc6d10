"""Puts a layer on a branch and writes the root filesystem of the new commit: ADDRESS REPO LAYER.tar ROOTFS.tar"""

import sys
import time
import uuid

import grpc
from varve.v1 import checkout_pb2, checkout_pb2_grpc, commit_pb2, commit_pb2_grpc, content_pb2, repo_pb2, repo_pb2_grpc

PIECE_BYTES = 256 * 1024
ATTEMPTS = 5
AGAIN = (grpc.StatusCode.UNAVAILABLE,)


def reason(error):
    """Varve's own code, such as REF_STALE: the only part of a failure to decide by."""
    return dict(error.trailing_metadata() or ()).get("varve-error", error.code().name)


def retried(ask):
    """The same call again while the server cannot be reached: reads always may, writes under their idempotency key."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return ask()
        except grpc.RpcError as error:
            if error.code() not in AGAIN or attempt == ATTEMPTS:
                raise
            time.sleep(0.1 * 2**attempt)


def pieces(repo, path):
    """The header, then the bytes as the server takes them: nothing is read ahead."""
    header = commit_pb2.CommitHeader(repo=repo, branch="main", message="from Python", author="example", labels={"by": "python"})
    yield commit_pb2.CommitRequest(header=header)
    with open(path, "rb") as layer:
        while piece := layer.read(PIECE_BYTES):
            yield commit_pb2.CommitRequest(chunk=piece)


def ensure_repo(channel, repo):
    try:
        repo_pb2_grpc.RepoServiceStub(channel).CreateRepo(repo_pb2.CreateRepoRequest(repo=repo), timeout=30)
    except grpc.RpcError as error:
        if reason(error) != "REPOSITORY_EXISTS":
            raise


def commit(channel, repo, path):
    stub = commit_pb2_grpc.CommitServiceStub(channel)
    metadata = (("varve-actor", "example"), ("idempotency-key", str(uuid.uuid4())))
    return retried(lambda: stub.Commit(pieces(repo, path), metadata=metadata, timeout=600))


def checkout(channel, repo, rev, path, position):
    """Goes on at the byte it has reached, held to the same bytes by their etag. Returns how many there are."""
    stub = checkout_pb2_grpc.CheckoutServiceStub(channel)
    metadata = (("varve-min-position", position),)
    with open(path, "wb") as rootfs:
        head = None

        def rest():
            nonlocal head
            part = content_pb2.ContentPart(offset=rootfs.tell(), if_match=head.etag if head else "")
            asked = checkout_pb2.CheckoutRequest(repo=repo, rev=rev, part=part)
            for message in stub.Checkout(asked, metadata=metadata, timeout=600):
                if message.HasField("head"):
                    head = message.head.content
                else:
                    rootfs.write(message.chunk)

        retried(rest)
        if rootfs.tell() != head.size_bytes:
            raise RuntimeError(f"{rootfs.tell()} bytes of {head.size_bytes}")
        return rootfs.tell()


def main(address, repo, layer, rootfs):
    with grpc.insecure_channel(address) as channel:
        ensure_repo(channel, repo)
        made = commit(channel, repo, layer)
        size = checkout(channel, repo, made.commit, rootfs, made.written.position)
        print(f"{made.commit} {size}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except grpc.RpcError as error:
        sys.exit(f"{reason(error)}: {error.details()}")
