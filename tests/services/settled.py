"""What came of the jobs of a crowd: each has exactly one result, and it is the right one."""

from collections.abc import Sequence

from clips import word_error_rate
from services.crowd import Record
from services.running import Client
from services.servers import wait_until

_UNDONE = ("queued", "running")


def settled(client: Client, record: Record, patience: float = 240) -> list[str]:
    """What is wrong with the jobs that were accepted, once all of them have ended; nothing, if all is well."""
    with client.http as http:

        def ended() -> bool:
            counts = [http.get("/v1/jobs", params={"status": status, "limit": 1}).json() for status in _UNDONE]
            return not any(count["data"] for count in counts)

        wait_until(ended, "all jobs to end", patience)
        problems = list(record.problems)
        for job, said in record.accepted.items():
            found = http.get(f"/v1/jobs/{job}").json()
            if found.get("status") != "succeeded":
                problems.append(f"job {job} is {found.get('status')}: {found.get('error')}")
                continue
            result = http.get(f"/v1/jobs/{job}/result", params={"format": "text"})
            if result.status_code != 200:
                problems.append(f"the result of {job}: {result.status_code}")
                continue
            record.heard.append((said, result.text))
            if visit := found["metadata"].get("visit"):
                same = http.get("/v1/jobs", params={"metadata": f"visit:{visit}"}).json()["data"]
                if [each["id"] for each in same] != [job]:
                    problems.append(f"visit {visit} has {len(same)} jobs")
    return problems


def error_rate(heard: Sequence[tuple[str, str]]) -> float:
    """The word error rate of all that was written, pooled."""
    return word_error_rate(" ".join(said for said, _ in heard), " ".join(text for _, text in heard))
