#!/usr/bin/env python3
"""Writes dashboards/overview.json; with --check, compares it with this file.

A panel's series are (legend, PromQL). Grafana replaces `$__rate_interval` by a window that fits the scrape interval and the width of the panel.
"""

import json
import pathlib
import sys

TARGET = pathlib.Path(__file__).parent / "dashboards" / "overview.json"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24


def rate(series, by=""):
    """Events a second, summed over the instances."""
    return f"sum{f' by ({by})' if by else ''} (rate({series}[$__rate_interval]))"


def quantile(q, histogram, by="", labels=""):
    """A quantile of a histogram, over all instances."""
    groups = ", ".join(filter(None, [by, "le"]))
    return f"histogram_quantile({q}, sum by ({groups}) (rate({histogram}_bucket{labels}[$__rate_interval])))"


def quantiles(histogram, by="", labels=""):
    legend = f"{{{{{by}}}}} " if by else ""
    return [(f"{legend}p50", quantile(0.5, histogram, by, labels)), (f"{legend}p99", quantile(0.99, histogram, by, labels))]


def or_none(expr):
    """Zero while the series does not exist: some counters appear with their first event."""
    return f"{expr} or vector(0)"


def stat(title, text, expr, limit, unit="none", legend="", below=False):
    """A number that is red from `limit` up; with `below`, red below it."""
    colors = ["red", "green"] if below else ["green", "red"]
    steps = [{"color": colors[0], "value": None}, {"color": colors[1], "value": limit}]
    return {
        "type": "stat", "title": title, "description": text, "targets": targets([(legend, expr)]),
        "fieldConfig": {"defaults": {"unit": unit, "thresholds": {"mode": "absolute", "steps": steps}}, "overrides": []},
        "options": {
            "colorMode": "background", "graphMode": "none", "reduceOptions": {"calcs": ["lastNotNull"]},
            "textMode": "value_and_name" if legend else "value",
        },
    }


def graph(title, text, series, unit="none", stack=False):
    custom = {"fillOpacity": 20 if stack else 5, "stacking": {"mode": "normal" if stack else "none"}, "showPoints": "never"}
    return {
        "type": "timeseries", "title": title, "description": text, "targets": targets(series),
        "fieldConfig": {"defaults": {"unit": unit, "min": 0, "custom": custom}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }


def targets(series):
    return [
        {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": expr, "legendFormat": legend or "__auto"}
        for at, (legend, expr) in enumerate(series)
    ]


HTTP, HTTP_SECONDS = "bilsport_http_requests_total", "bilsport_http_request_seconds"
ORDERS = '{method="POST", route="/api/v1/orders"}'

ROWS = [
    ("Is everything well?", 4, 4, [
        stat("Services", "The worst instance of each service, as scraped: 1 is up.",
             "min by (job) (up)", 1, legend="{{job}}", below=True),
        stat("Failing health checks", "Checks that keep an instance from getting traffic.",
             or_none("count(bilsport_health_check_ok == 0)"), 1),
        stat("Leaders", "Instances that publish and plan: exactly one.",
             "sum(bilsport_relay_leader)", 1, below=True),
        stat("Server errors", "Share of requests answered with 5xx.",
             f'({or_none(rate(HTTP + "{status=~" + chr(34) + "5.." + chr(34) + "}"))}) / clamp_min({rate(HTTP)}, 1e-9)',
             0.01, "percentunit"),
        stat("Projection lag", "Age of the oldest event that the rows lack.",
             "max(bilsport_projector_lag_seconds)", 5, "s"),
        stat("Relay lag", "Age of the oldest event that the stream lacks.",
             "max(bilsport_relay_lag_seconds)", 5, "s"),
        stat("Parked events", "Events that could not be applied, and those that wait behind them.",
             "max(bilsport_projector_parked)", 1),
        stat("Another log", "1 or 2 while rows, or process managers, are at an event that the log does not hold.",
             "(" + or_none("max(bilsport_projector_contradicted)") + ") + ("
             + or_none("max(bilsport_process_contradicted)") + ")", 1),
        stat("Stale answers", "1 while the rows of a new epoch are built and queries answer the old ones.",
             or_none("max(bilsport_query_stale)"), 1),
        stat("Overdue tasks", "How long the oldest due task of the process managers has waited.",
             "max(bilsport_process_overdue_seconds)", 30, "s"),
        stat("Events from the stream", "0 while the projector reads the event database instead of NATS.",
             "min(bilsport_projector_stream_up)", 1, below=True),
        stat("Tasks for a connection", "Tasks that wait for a database connection, all pools.",
             "sum(bilsport_pool_waiting)", 1),
        stat("Refused by the log", "Commands a second that the log could not take.",
             or_none(rate('bilsport_log_append_total{outcome=~"unavailable|unstorable"}')), 0.001, "cps"),
        stat("Panics", "In the last hour.",
             or_none("sum(increase(bilsport_process_panics_total[1h]))"), 1),
    ]),
    ("Purchases and HTTP", 8, 8, [
        graph("Orders", "Orders placed, by status of the answer, and orders fulfilled.", [
            ("POST {{status}}", rate(HTTP + ORDERS, "status")),
            ("fulfilled", rate('bilsport_process_task_seconds_count{kind="fulfill", outcome="done"}')),
            ("captured", rate('bilsport_process_task_seconds_count{kind="capture", outcome="done"}')),
        ], "reqps"),
        graph("Placing an order", "Time to answer, the payment provider's part included.",
              quantiles(HTTP_SECONDS, labels=ORDERS), "s"),
        graph("Webhooks", "Of the payment provider, by outcome.",
              [("{{provider}} {{outcome}}", rate("bilsport_payments_webhooks_total", "provider, outcome"))], "reqps"),
        graph("Requests by route", "Answered requests a second.",
              [("{{service}} {{method}} {{route}}", rate(HTTP, "service, method, route"))], "reqps", stack=True),
        graph("Errors by route", "Answers with 4xx and 5xx.",
              [("{{status}} {{method}} {{route}}", rate(HTTP + '{status=~"[45].."}', "status, method, route"))],
              "reqps", stack=True),
        graph("p50 by route", "Half of the requests are faster.",
              [("{{method}} {{route}}", quantile(0.5, HTTP_SECONDS, "method, route"))], "s"),
        graph("p99 by route", "One request in a hundred is slower.",
              [("{{method}} {{route}}", quantile(0.99, HTTP_SECONDS, "method, route"))], "s"),
        graph("Connections", "Open connections, and requests being worked on.", [
            ("{{service}} connections", "sum by (service) (bilsport_http_connections)"),
            ("{{service}} in flight", "sum by (service) (bilsport_http_requests_in_flight)"),
        ]),
        graph("Logins", "Refused tokens by reason, and fetches of the issuer's keys.", [
            ("refused: {{reason}}", rate("bilsport_auth_refusals_total", "reason")),
            ("keys: {{outcome}}", rate("bilsport_auth_jwks_refreshes_total", "outcome")),
        ], "cps"),
    ]),
    ("Rate limits", 8, 6, [
        graph("Requests over their limit", "Refused with 429, by class of the limit.",
              [("{{class}}", rate('bilsport_rate_limit_checks_total{outcome="limited"}', "class"))], "reqps", stack=True),
        graph("Counted", "Requests charged to a limit, in Redis or by one instance alone (local).",
              [("{{service}} {{source}}", rate("bilsport_rate_limit_checks_total", "service, source"))], "reqps"),
        graph("Time to charge a request", "Its share of the time to answer.",
              quantiles("bilsport_rate_limit_seconds", "source"), "s"),
        graph("Redis", "1 while the worst instance uses it; questions without an answer.", [
            ("{{service}} up", "min by (service) (bilsport_redis_up)"),
            ("{{reason}}", rate("bilsport_redis_failures_total", "reason")),
        ]),
    ]),
    ("The log", 8, 6, [
        graph("Commands by outcome", "Commands given to the log, by outcome.",
              [("{{outcome}}", rate("bilsport_log_append_total", "outcome"))], "cps", stack=True),
        graph("Batch size", "Commands that share one commit. It grows with the load.",
              quantiles("bilsport_log_append_batch_size")),
        graph("Append time", "One batch, commit included.", quantiles("bilsport_log_append_seconds"), "s"),
        graph("Queue and retries", "Commands waiting for a batch; batches that went again, conflicts.", [
            ("waiting", "sum(bilsport_log_append_queue)"),
            ("batch again: {{reason}}", rate("bilsport_log_append_retries_total", "reason")),
            ("command again: conflict", or_none(rate("bilsport_log_execute_conflicts_total"))),
        ]),
        graph("Share of batches checked command by command", "Batches with a version conflict. Used keys and taken claims "
              "do not send a batch this way.", [
            ("share", or_none(rate("bilsport_log_append_checked_total") + " / "
                              + rate("bilsport_log_append_seconds_count"))),
        ], "percentunit"),
        graph("Repeats answered from memory", "Repeated commands a second that cost the database nothing.",
              [("repeats", or_none(rate("bilsport_log_append_recent_total")))], "cps"),
        graph("Unsealed events", "Events of the log that no seal covers yet. A line that only grows: sealing has stopped.", [
            ("events", "max(bilsport_projector_position) + max(bilsport_projector_lag_positions)"
                       " - max(bilsport_log_sealed_position)"),
        ]),
        graph("Seal time", "One range: read, hashed, signed and stored.", quantiles("bilsport_log_seal_seconds"), "s"),
        graph("Seals refused", "Failures to seal, by reason. A contradiction means that log and seals disagree: run log verify.",
              [("{{reason}}", rate("bilsport_log_seal_errors_total", "reason"))], "cps"),
    ]),
    ("Delivery", 8, 6, [
        graph("Relay lag", "Events that the stream lacks.", [("positions", "max(bilsport_relay_lag_positions)")]),
        graph("Relay lag, seconds", "Age of the oldest of them.", [("seconds", "max(bilsport_relay_lag_seconds)")], "s"),
        graph("Relay interrupted", "Restarts of publishing, by cause. full: JetStream has no space.",
              [("{{reason}}", rate("bilsport_relay_interruptions_total", "reason"))], "cps"),
        graph("Lag of the rows behind the stream", "Events that the stream has and the rows lack, and the age of the oldest.", [
            ("positions", "max(bilsport_projector_apply_lag_positions)"),
            ("seconds", "max(bilsport_projector_apply_lag_seconds)"),
        ]),
        graph("Projection lag", "Events that the rows lack.", [("positions", "max(bilsport_projector_lag_positions)")]),
        graph("Projection lag, seconds", "Age of the oldest of them.",
              [("seconds", "max(bilsport_projector_lag_seconds)")], "s"),
        graph("Published", "Events a second accepted by the stream; batches cut short, relay resumed, stream recreated.", [
            ("published", rate("bilsport_bus_published_total")),
            ("cut short: {{reason}}", rate("bilsport_bus_publish_errors_total", "reason")),
            ("resumed", rate("bilsport_relay_resumes_total")),
            ("stream created", or_none(rate("bilsport_bus_stream_created_total"))),
        ], "cps"),
        graph("Publish time", "First publish of a batch to its last acknowledgement.",
              quantiles("bilsport_bus_publish_seconds"), "s"),
        graph("Feed sources", "Source of the events: the stream, or the log where the stream is not provably complete.",
              [("{{feed}} from {{source}}", rate("bilsport_bus_feed_events_total", "feed, source"))], "cps", stack=True),
        graph("Feed repairs", "Gaps found and refilled, old events dropped, messages not trusted, consumers opened.", [
            ("{{feed}} gaps found", rate("bilsport_bus_feed_gaps_found_total", "feed")),
            ("{{feed}} gaps refilled", rate("bilsport_bus_feed_gaps_refilled_total", "feed")),
            ("{{feed}} dropped", rate("bilsport_bus_feed_dropped_old_total", "feed")),
            ("{{feed}} untrusted", rate("bilsport_bus_feed_untrusted_total", "feed")),
            ("{{feed}} unlinked", rate("bilsport_bus_feed_unlinked_total", "feed")),
            ("{{feed}} consumers", rate("bilsport_bus_feed_consumers_opened_total", "feed")),
        ], "cps"),
        graph("Projected", "Events a second by outcome, and the position reached.", [
            ("{{outcome}}", rate("bilsport_projector_events_total", "outcome")),
        ], "cps"),
        graph("Projection batches", "Events in one transaction.", quantiles("bilsport_projector_batch_size")),
        graph("Projection time", "One transaction, commit included.", quantiles("bilsport_projector_apply_seconds"), "s"),
        graph("Parked and interrupted", "Parked events; restarts of following, and rebuilds for a new epoch.", [
            ("parked", "max(bilsport_projector_parked)"),
            ("parked, untried by this build", "max(bilsport_projector_parked_untried)"),
            ("retried: {{outcome}}", "sum by (outcome) (increase(bilsport_projector_parked_retries_total[$__rate_interval]))"),
            ("interrupted: {{reason}}", "sum by (reason) (increase(bilsport_projector_interruptions_total[$__rate_interval]))"),
            ("stale", "max(bilsport_projector_stale)"),
            ("started over", or_none("sum(increase(bilsport_projector_resets_total[$__rate_interval]))")),
        ]),
    ]),
    ("Process managers and payments", 8, 8, [
        graph("Tasks waiting", "Not done yet, due or not.",
              [("{{kind}}", "max by (kind) (bilsport_process_tasks)")], stack=True),
        graph("Tasks overdue", "How long the oldest due task has waited.",
              [("{{kind}}", "max by (kind) (bilsport_process_overdue_seconds)")], "s"),
        graph("Attempts", "At tasks, by outcome.",
              [("{{kind}} {{outcome}}", rate("bilsport_process_task_seconds_count", "kind, outcome"))], "cps"),
        graph("Payment requests", "Calls to the provider, by outcome.",
              [("{{operation}} {{outcome}}", rate("bilsport_payments_requests_total", "operation, outcome"))], "reqps"),
        graph("Payment request time", "Retries included.",
              quantiles("bilsport_payments_request_seconds", "operation"), "s"),
        graph("Attempt time", "At a task.", quantiles("bilsport_process_task_seconds", "kind"), "s"),
        graph("Licenses without money", "Orders that wait for a decision, and captures that failed for good in the last hour.", [
            ("undecided", 'max(bilsport_process_tasks{kind="resolve"})'),
            ("{{reason}}", "sum by (reason) (increase(bilsport_payments_capture_failures_total[1h]))"),
        ]),
        graph("Reconciliation", "Orders that differ from their payments, and what comparing them found in the last day.", [
            ("unmatched", "max(bilsport_payments_unmatched)"),
            ("{{outcome}}", "sum by (outcome) (increase(bilsport_payments_reconciled_total[1d]))"),
        ]),
    ]),
    ("Personal data", 8, 6, [
        graph("Erasures", "Carried out in the last hour, and the keys that they destroyed.", [
            ("erasures", "sum(increase(bilsport_personal_erasures_total[1h]))"),
            ("keys", "sum(increase(bilsport_personal_keys_destroyed_total[1h]))"),
        ]),
        graph("Erasures waiting", "Tasks that destroy keys: not done yet, due or not.",
              [("tasks", 'max(bilsport_process_tasks{kind="erase"})')]),
        graph("Key of licenses", "Time until the key that signs licenses is not accepted any more.",
              [("{{instance}}", "bilsport_license_keys_valid_seconds")], "s"),
    ]),
    ("Reading", 8, 8, [
        graph("Read time", "From the database, waiting for a connection included.",
              quantiles("bilsport_query_read_seconds", "resource"), "s"),
        graph("Waiting for a position", "How long min_position waited, and how it ended.", [
            ("{{outcome}} p99", quantile(0.99, "bilsport_query_min_position_seconds", "outcome")),
        ], "s"),
        graph("Not answered", "Failed reads, refused cursors, lost connections; and answers that needed no body.", [
            ("failed: {{reason}}", rate("bilsport_query_read_failures_total", "reason")),
            ("cursor refused", or_none(rate("bilsport_query_cursors_refused_total"))),
            ("projection lost", or_none(rate("bilsport_query_follow_failures_total"))),
            ("not modified: {{resource}}", rate("bilsport_query_not_modified_total", "resource")),
        ], "cps"),
        graph("Places", "Where reads were answered: the primary or a replica; and reads that failed there and were repeated elsewhere.", [
            ("{{place}}", rate("bilsport_query_reads_total", "place")),
            ("repeated: {{place}}", rate("bilsport_query_reads_repeated_total", "place")),
        ], "reqps"),
        graph("Replicas not used", "They lag, fail, do not answer, or have rows of another log.", [
            ("{{projection}}", "max by (projection) (bilsport_query_replicas_ejected)"),
        ]),
        graph("Too much at once", "Expensive requests that were refused because the same reader had others under way.", [
            ("refused", or_none(rate("bilsport_query_refused_at_once_total"))),
        ], "cps"),
        graph("Kept answers", "Where answers that many readers get came from; unknown: the versions of the rows are not known.",
              [("{{outcome}}", rate("bilsport_query_cache_lookups_total", "outcome"))], "reqps", stack=True),
        graph("Answers kept", "What became of answers that were read and could be kept.",
              [("{{outcome}}", rate("bilsport_query_cache_stores_total", "outcome"))], "reqps"),
        graph("Streams of changes", "Open ones; what they were given a second, and those that ended, by reason.", [
            ("open", "sum(bilsport_streams_open)"),
            ("events a second", or_none(rate("bilsport_streams_events_total"))),
            ("ended: {{reason}}", "sum by (reason) (increase(bilsport_streams_ended_total[$__rate_interval]))"),
        ]),
    ]),
    ("Processes", 8, 8, [
        graph("Pool use", "Database connections in use, of those open.", [
            ("{{service}} {{pool}} in use", "sum by (service, pool) (bilsport_pool_size - bilsport_pool_available)"),
            ("{{service}} {{pool}} open", "sum by (service, pool) (bilsport_pool_size)"),
            ("{{service}} {{pool}} waiting", "sum by (service, pool) (bilsport_pool_waiting)"),
        ]),
        graph("CPU", "Cores in use.", [("{{job}}", "sum by (job) (rate(process_cpu_seconds_total[$__rate_interval]))")]),
        graph("Memory", "Resident.", [("{{job}} {{instance}}", "process_resident_memory_bytes")], "bytes"),
        graph("File descriptors", "Open, of those allowed.",
              [("{{job}} {{instance}}", "process_open_fds / process_max_fds")], "percentunit"),
        graph("Threads", "Of the operating system.", [("{{job}} {{instance}}", "process_threads")]),
        graph("Age", "Since the process started: a fall is a restart.",
              [("{{job}} {{instance}}", "time() - process_start_time_seconds")], "s"),
        graph("Accepting", "Connections that could not be accepted.",
              [("{{reason}}", rate("bilsport_http_accept_errors_total", "reason"))], "cps"),
        graph("Health checks", "1 passes, 0 fails.",
              [("{{service}} {{check}}", "min by (service, check) (bilsport_health_check_ok)")]),
    ]),
]


def laid_out():
    """Rows of panels, left to right; a row's panels share a size."""
    panels, y = [], 0
    for title, width, height, contents in ROWS:
        panels.append({"type": "row", "title": title, "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}})
        y += 1
        across = WIDTH // width
        for at, panel in enumerate(contents):
            place = {"x": at % across * width, "y": y + at // across * height, "w": width, "h": height}
            panels.append({**panel, "datasource": SOURCE, "gridPos": place})
        y += -(-len(contents) // across) * height
    return [{"id": at, **panel} for at, panel in enumerate(panels, 1)]


DASHBOARD = {
    "uid": "bilsport-overview",
    "title": "Bilsport overview",
    "description": "Purchases, the log, its delivery, reading, and the processes. Written by grafana/overview.py.",
    "tags": ["bilsport"],
    "schemaVersion": 39,
    "editable": True,
    "graphTooltip": 1,
    "refresh": "10s",
    "time": {"from": "now-30m", "to": "now"},
    "timezone": "browser",
    "templating": {"list": [{
        "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
        "current": {}, "hide": 0, "includeAll": False, "multi": False, "options": [], "refresh": 1, "regex": "",
    }]},
    "annotations": {"list": []},
    "links": [],
    "panels": laid_out(),
}


def main():
    text = json.dumps(DASHBOARD, indent=1, ensure_ascii=False) + "\n"
    if "--check" in sys.argv[1:]:
        if TARGET.read_text(encoding="utf-8") != text:
            sys.exit(f"{TARGET} is not what this script writes: run it, and commit the result")
    else:
        TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
