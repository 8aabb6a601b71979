"""The matrix of faults: how each is made on a real node, the one reason that tells it, and how it is taken away."""

from __future__ import annotations

from collections.abc import Mapping

from cluster.acts import (
    ABSENT,
    REGISTRY,
    WAY,
    Fault,
    api,
    cordon,
    database,
    filled,
    forget,
    in_the_way,
    inside,
    model,
    named,
    new,
    storage_class,
    uncertified,
    variable,
    webhook,
    workers,
)

LIMITS = named("v1", "LimitRange", "small", spec={"limits": [{"type": "Container", "max": {"memory": "128Mi"}}]})
QUOTA = named("v1", "ResourceQuota", "none", spec={"hard": {"pods": "0"}})
OUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_addr IS NOT NULL;"
PSQL = "psql -h /tmp -U whisper -d whisper -qAt -v ON_ERROR_STOP=1"
REDIS = "redis-cli -s /tmp/redis.sock --no-auth-warning"

FAULTS: Mapping[str, Fault] = {
    "no such image": workers("ImagePullFailed", "worker:none", image="whisper-operator/transcriber-worker:none"),
    "no such registry": workers("ImagePullFailed", "no.such.host/worker:1", image="no.such.host/worker:1"),
    "no credentials": workers("ImagePullFailed", f"{REGISTRY}/worker:1", image=f"{REGISTRY}/worker:1"),
    "crash loop": workers("CrashLooping", "THREADS", env=[{"name": "WHISPER_THREADS", "value": "many"}]),
    "out of memory": workers(
        "OutOfMemory", "48Mi", resources={"requests": {"memory": "32Mi"}, "limits": {"memory": "48Mi"}}
    ),
    "no such node": workers("Unschedulable", "node affinity/selector", nodeSelector={"no": "where"}),
    "no such memory": workers("Unschedulable", "Insufficient memory", resources={"requests": {"memory": "4Ti"}}),
    "no such GPU": workers("NoFreeGpu", "nvidia.com/gpu", resources={"limits": {"nvidia.com/gpu": 9}}),
    "no such priority": workers("PodRefused", "no PriorityClass with name nobody", priorityClassName="nobody"),
    "no such runtime": workers("PodRefused", 'RuntimeClass "nothing" not found', runtimeClassName="nothing"),
    "Pod Security": workers("PodRefused", 'violates PodSecurity "restricted', patch={"spec": {"hostNetwork": True}}),
    "no such Secret": workers("SecretNotFound", 'secret "gone" not found', env=variable("secret", "gone", "a")),
    "no such key": workers(
        "SecretIncomplete", "couldn't find key gone", env=variable("secret", "main-api-key", "gone")
    ),
    "no such ConfigMap": workers("ContainerCannotStart", '"gone" not found', env=variable("configMap", "gone", "a")),
    "quota": in_the_way("QuotaExceeded", "exceeded quota: none", QUOTA),
    "LimitRange": in_the_way("PodRefused", "maximum memory usage per Container is 128Mi", LIMITS),
    "webhook of pods": in_the_way("WebhookFailed", "pods.nobody.example.com", webhook("pods", "")),
    "webhook of Deployments": in_the_way(
        "WebhookFailed", "deployments.nobody.example.com", webhook("deployments", "apps")
    ),
    "node cordoned": Fault(
        "WorkersReady",
        "Unschedulable",
        "were unschedulable",
        cordon,
        lambda cluster: cluster.kubectl("uncordon", "--selector=kubernetes.io/os=linux"),
        serves=True,
    ),
    "wrong digest": model("digest", name="base", digest=f"sha256:{'0' * 64}"),
    "hub out of reach": model("nobody/nothing", name="own", source={"huggingFace": {"repo": "nobody/nothing"}}),
    "crash loop of the API": api("ApiReady", "CrashLooping", "exit code", "WHISPER_HOST", "203.0.113.9"),
    "migration": api("DatabaseReady", "MigrationFailed", "exit code", "WHISPER_LOG_LEVEL", "LOUD"),
    "PostgreSQL's password": Fault(
        "ApiReady",
        "PasswordRefused",
        "the database: password refused",
        *inside(
            "main-postgres-0",
            f"""echo "ALTER ROLE whisper PASSWORD 'other'; {OUT}" | {PSQL}""",
            f"""echo "ALTER ROLE whisper PASSWORD '$(cat /run/secrets/postgres/password)'" | {PSQL}""",
        ),
    ),
    "Redis' password": Fault(
        "QueueReady",
        "PasswordRefused",
        "main-redis-0",
        *inside(
            "main-redis-0",
            f'{REDIS} -a "$(cat /run/secrets/redis/password)" CONFIG SET requirepass other',
            f'{REDIS} -a other CONFIG SET requirepass "$(cat /run/secrets/redis/password)"',
        ),
    ),
    "PostgreSQL's volume": Fault(
        "DatabaseReady", "VolumeFull", "MiB are left", *filled("main-postgres-0", "/var/lib/postgresql/data")
    ),
    "objects' volume": Fault("ObjectsReady", "VolumeFull", "MiB are left", *filled("main-objects-0", "/data")),
    "Redis' volume": Fault(
        "QueueReady",
        "VolumeFull",
        "main-redis-0",
        # To the last byte, and then a write that its log cannot take: one that takes writes anew has recovered.
        *inside(
            "main-redis-0",
            f"""cat /dev/zero > /data/filler || true
            export REDISCLI_AUTH="$(cat /run/secrets/redis/password)"
            {REDIS} SET filler "$(head -c 65536 /dev/zero | tr '\\0' x)" EX 600
            timeout 30 sh -c 'until {REDIS} SET a b EX 600 | grep MISCONF; do :; done'""",
            f"""rm /data/filler
            export REDISCLI_AUTH="$(cat /run/secrets/redis/password)"
            timeout 30 sh -c 'until {REDIS} SET a b EX 600 | grep OK; do :; done'""",
        ),
    ),
    "certificate deleted": Fault("QueueReady", "SecretNotFound", "main-redis-tls", uncertified, lambda _: None),
    "no Secret": new("a", "DatabaseReady", "SecretNotFound", "Secret database in", forget, database),
    "wrong key": new(
        "b",
        "DatabaseReady",
        "SecretIncomplete",
        "has no key dsn",
        database,
        lambda cluster: database(cluster, key="dsn"),
        postgres={"external": {"secretRef": {"name": "database", "key": "dsn"}}},
    ),
    "wrong password": new(
        "c",
        "DatabaseReady",
        "PasswordRefused",
        "password authentication failed",
        lambda cluster: database(cluster, uri=WAY.format(password="x", host="main-postgres")),
        database,
    ),
    "wrong host": new(
        "d",
        "DatabaseReady",
        "DatabaseUnreachable",
        "PostgreSQL does not answer",
        lambda cluster: database(cluster, uri=WAY.format(password="x", host="nobody")),
        database,
    ),
    "no such class": new(
        "e",
        "QueueReady",
        "StorageClassNotFound",
        ABSENT,
        database,
        storage_class,
        redis={"managed": {"storageClassName": ABSENT}},
    ),
}
