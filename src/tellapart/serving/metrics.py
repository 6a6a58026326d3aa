"""What Prometheus reads at /metrics. Labels are few and fixed: no text of a request becomes one."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from tellapart.serving.worker import Worker

SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)


class Metrics:
    """Counters of one server."""

    def __init__(self, worker: Worker) -> None:
        self.registry = CollectorRegistry()
        self.worker = worker
        self.requests = Counter(
            "tellapart_requests_total",
            "Requests by path and status",
            ["path", "status"],
            registry=self.registry,
        )
        self.mixes = Counter(
            "tellapart_answers_total",
            "Answers by kind of mix: base, expert, mix, auto",
            ["kind"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "tellapart_request_seconds", "Seconds of a request", registry=self.registry, buckets=SECONDS
        )
        gauges = {
            "tellapart_rows": ("Answers being written", lambda: float(worker.watch().rows)),
            "tellapart_waiting": ("Answers waiting", lambda: float(worker.watch().waiting)),
            "tellapart_lanes": ("Mixes in use", lambda: float(worker.watch().lanes)),
            "tellapart_tokens_written": ("Tokens written so far", lambda: float(worker.watch().tokens)),
            "tellapart_first_passes": ("First passes so far", lambda: float(worker.watch().first_passes)),
        }
        for name, (description, read) in gauges.items():
            Gauge(name, description, registry=self.registry).set_function(read)

    def text(self) -> bytes:
        """Return the exposition format."""
        return generate_latest(self.registry)
