//! The report in Markdown.

use std::fmt::Write as _;

use super::{Machine, Report, Spread};
use crate::campaign::fault::KINDS;

/// The most complaints listed; the JSON has all.
const MOST_TOLD: usize = 50;

impl Report {
    /// For people.
    pub fn markdown(&self) -> String {
        let Machine { cores, kernel, build } = &self.machine;
        let verdict = if self.is_clean() {
            "nothing lost, nothing doubled"
        } else {
            "NOT CLEAN"
        };
        let mut out = format!(
            "# Fault campaign, seed {}: {verdict}\n\n\
             {} at commit {}, {:.0} s, {} customers a second, {build} build, {cores} cores, Linux {kernel}.\n\
             `make campaign SEED={}` repeats its faults.\n\n",
            self.seed,
            self.began.format("%Y-%m-%d %H:%M UTC"),
            self.commit,
            self.seconds,
            self.rate,
            self.seed
        );
        self.markdown_of_complaints(&mut out);
        self.markdown_of_commands(&mut out);
        self.markdown_of_faults(&mut out);
        self.markdown_of_proof(&mut out);
        out
    }

    fn markdown_of_complaints(&self, out: &mut String) {
        if self.complaints.is_empty() {
            return;
        }
        out.push_str("## What is wrong\n\n");
        for complaint in self.complaints.iter().take(MOST_TOLD) {
            line(out, format_args!("- {complaint}"));
        }
        let more = self.complaints.len().saturating_sub(MOST_TOLD);
        if more > 0 {
            line(out, format_args!("- and {more} more"));
        }
        out.push('\n');
    }

    fn markdown_of_commands(&self, out: &mut String) {
        let commands = &self.commands;
        out.push_str("## Commands\n\n| | |\n|---|---|\n");
        for (what, count) in [
            ("offered", commands.offered),
            ("shed by the generator", commands.shed),
            ("**acknowledged**", commands.acknowledged),
            ("refused", commands.refused),
            ("outcome unknown to the customer", commands.unknown),
            ("… of these in the log: once", commands.unknown_in_log),
            (
                "… of these not in the log",
                commands.unknown - commands.unknown_in_log,
            ),
            ("… acknowledged when tried again at the end", commands.retried),
            ("… given up for good", commands.abandoned),
            ("… of which in the log, unpaid", commands.abandoned_in_log),
            ("seen as fulfilled by the customer", commands.read_back),
            ("**lost**", commands.lost),
            ("**doubled**", commands.doubled),
        ] {
            line(out, format_args!("| {what} | {count} |"));
        }
        let Spread { p50, p99, max, .. } = self.acknowledged_ms;
        line(
            out,
            format_args!(
                "\nAcknowledged after, retries and faults included: p50 {p50:.0} ms, p99 {p99:.0} ms, \
                 longest {max:.0} ms. Events in the log: {}.\n",
                self.events
            ),
        );
    }

    fn markdown_of_faults(&self, out: &mut String) {
        out.push_str(
            "## Faults, and the time from their end until a fresh purchase was readable as fulfilled\n\n\
             | kind | done | skipped | failed | p50 ms | p99 ms | longest ms |\n|---|---|---|---|---|---|---|\n",
        );
        let recovery = self.recovery();
        for kind in KINDS.iter().map(|(kind, _)| *kind).chain(["all"]) {
            let count = |outcome| {
                let of_kind = self
                    .faults
                    .iter()
                    .filter(|fault| kind == "all" || fault.kind == kind);
                of_kind.filter(|fault| fault.outcome == outcome).count()
            };
            let Spread { p50, p99, max, .. } = recovery.get(kind).copied().unwrap_or_default();
            line(
                out,
                format_args!(
                    "| {kind} | {} | {} | {} | {p50:.0} | {p99:.0} | {max:.0} |",
                    count("done"),
                    count("skipped"),
                    count("failed")
                ),
            );
        }
        out.push_str(
            "\nIn rounds of one or two; the time of a round counts for each of its kinds.\n\n\
             | round | fault | begins ms | lasts ms | | well again after ms |\n|---|---|---|---|---|---|\n",
        );
        for fault in &self.faults {
            let took = self
                .recoveries
                .iter()
                .find(|recovery| recovery.round == fault.round);
            let took = took
                .and_then(|recovery| recovery.took_ms)
                .map_or("never".to_owned(), |took| format!("{took:.0}"));
            line(
                out,
                format_args!(
                    "| {} | {} | {} | {} | {}: {} | {took} |",
                    fault.round, fault.fault, fault.after_ms, fault.lasts_ms, fault.outcome, fault.seen
                ),
            );
        }
    }

    fn markdown_of_proof(&self, out: &mut String) {
        let proof = |name: &str| self.verify[name].to_string();
        line(
            out,
            format_args!(
                "\n## Proof\n\n`projector verify --stream-sample 0`: {}. Log {}; stream {}; rows {}.\n\n\
                 `command-api log verify`: {} events under {} seals, {} findings.",
                self.verify["verdict"].as_str().unwrap_or("not run"),
                proof("log_proof"),
                proof("stream_proof"),
                proof("rows_proof"),
                self.seals["events"],
                self.seals["seals"],
                self.seals["findings"].as_array().map_or(0, Vec::len)
            ),
        );
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}
