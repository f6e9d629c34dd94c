//! The report of a payment campaign, in Markdown and in JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::Plan;
use super::customers::Customers;
pub use crate::campaign::report::Machine;
use crate::campaign::report::commit;

/// The most complaints listed; the JSON has all.
const MOST_TOLD: usize = 50;

/// Everything about one payment campaign.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The commit of the programs.
    pub commit: String,
    /// The start.
    pub began: DateTime<Utc>,
    /// The machine.
    pub machine: Machine,
    /// Customers at once.
    pub at_once: usize,
    /// Seconds in which customers came.
    pub selling_seconds: f64,
    /// Seconds in all.
    pub seconds: f64,
    /// How often an instance of command-api was killed.
    pub kills: usize,
    /// What became of the customers.
    pub customers: Customers,
    /// How often the provider misbehaved, by kind.
    pub misbehaviours: BTreeMap<String, u64>,
    /// What `command-api reconcile --json` said at the end.
    pub reconciled: Value,
    /// Orders by status at the end.
    pub statuses: BTreeMap<String, usize>,
    /// Valid licenses at the end.
    pub licenses: usize,
    /// The money of each provider.
    pub money: BTreeMap<String, Money>,
    /// Everything that is wrong.
    pub complaints: Vec<String>,
}

/// The money of one provider, by the log and by its own books.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Money {
    /// Orders.
    pub orders: usize,
    /// Payments that the provider holds.
    pub payments: usize,
    /// Orders for which it holds several, because an answer was lost.
    pub more_than_one_payment: usize,
    /// Taken in all, by the log.
    pub captured_by_log_ore: i64,
    /// Taken in all, by the provider.
    pub captured_by_provider_ore: i64,
    /// Given back, by the log.
    pub refunded_by_log_ore: i64,
    /// Given back, by the provider.
    pub refunded_by_provider_ore: i64,
}

impl Money {
    pub(super) const fn agree(&self) -> bool {
        self.captured_by_log_ore == self.captured_by_provider_ore
            && self.refunded_by_log_ore == self.refunded_by_provider_ore
    }
}

impl Report {
    pub(super) fn new(plan: &Plan, machine: Machine, began: DateTime<Utc>) -> Self {
        Self {
            seed: plan.seed,
            commit: commit(),
            began,
            machine,
            at_once: plan.at_once,
            selling_seconds: 0.0,
            seconds: 0.0,
            kills: 0,
            customers: Customers::default(),
            misbehaviours: BTreeMap::new(),
            reconciled: Value::Null,
            statuses: BTreeMap::new(),
            licenses: 0,
            money: BTreeMap::new(),
            complaints: Vec::new(),
        }
    }

    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.complaints.is_empty()
    }

    /// `payment-campaign-<day>-<commit>-seed<seed>`: the name of its files.
    pub fn name(&self) -> String {
        let day = self.began.format("%Y-%m-%d");
        format!("payment-campaign-{day}-{}-seed{}", self.commit, self.seed)
    }

    /// Writes the Markdown, and the JSON to the same directory.
    pub fn write(&self, markdown: &Path) -> anyhow::Result<()> {
        if let Some(dir) = markdown.parent() {
            std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        }
        let json = serde_json::to_string_pretty(self)? + "\n";
        for (path, text) in [
            (markdown.to_owned(), self.markdown()),
            (markdown.with_extension("json"), json),
        ] {
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    /// For people.
    pub fn markdown(&self) -> String {
        let Machine { cores, kernel, build } = &self.machine;
        let verdict = if self.is_clean() {
            "the books agree to the øre"
        } else {
            "NOT CLEAN"
        };
        let mut out = format!(
            "# Payment campaign, seed {}: {verdict}\n\n\
             {} at commit {}, {:.0} s, of which customers came for {:.0} s, {} at once; {build} build, {cores} cores, \
             Linux {kernel}.\n`make campaign-payments SEED={} PURCHASES={}` repeats what customers and provider do.\n\n\
             {} times an instance of command-api was killed.\n\n",
            self.seed,
            self.began.format("%Y-%m-%d %H:%M UTC"),
            self.commit,
            self.seconds,
            self.selling_seconds,
            self.at_once,
            self.seed,
            self.customers.came,
            self.kills,
        );
        if !self.complaints.is_empty() {
            out.push_str("## What is wrong\n\n");
            for complaint in self.complaints.iter().take(MOST_TOLD) {
                line(&mut out, format_args!("- {complaint}"));
            }
            let more = self.complaints.len().saturating_sub(MOST_TOLD);
            if more > 0 {
                line(&mut out, format_args!("- and {more} more"));
            }
            out.push('\n');
        }
        self.markdown_of_customers(&mut out);
        self.markdown_of_money(&mut out);
        out.push_str("\n## Misbehaviour of the provider\n\n| what | times |\n|---|---|\n");
        for (what, times) in &self.misbehaviours {
            line(&mut out, format_args!("| {what} | {times} |"));
        }
        out
    }

    fn markdown_of_customers(&self, out: &mut String) {
        let Customers {
            came,
            acknowledged,
            over,
            refused_by_provider,
            unanswered,
            approved,
            declined,
            cancelled,
            left,
        } = self.customers;
        line(
            out,
            format_args!(
                "## Customers\n\n{came} came, {acknowledged} got a page to pay on, {over} an order that was over, \
                 {refused_by_provider} a refusal of the provider, {unanswered} no answer. {approved} approved, {declined} \
                 declined, {cancelled} cancelled, {left} left.\n"
            ),
        );
        out.push_str("| orders at the end | |\n|---|---|\n");
        for (status, count) in &self.statuses {
            line(out, format_args!("| {status} | {count} |"));
        }
        let reconciled = &self.reconciled;
        line(
            out,
            format_args!(
                "\n{} licenses are valid. `command-api reconcile` compared {} orders with their payments: {} agreed, {} were \
                 healed, {} differ.\n",
                self.licenses,
                reconciled["compared"],
                reconciled["agree"],
                reconciled["healed"],
                reconciled["differ"],
            ),
        );
    }

    fn markdown_of_money(&self, out: &mut String) {
        out.push_str(
            "## Money\n\n| provider | orders | payments | orders with several | captured, log | captured, provider | refunded, \
             log | refunded, provider |\n|---|---|---|---|---|---|---|---|\n",
        );
        for (provider, money) in &self.money {
            let Money {
                orders,
                payments,
                more_than_one_payment,
                captured_by_log_ore,
                captured_by_provider_ore,
                refunded_by_log_ore,
                refunded_by_provider_ore,
            } = money;
            line(
                out,
                format_args!(
                    "| {provider} | {orders} | {payments} | {more_than_one_payment} | {captured_by_log_ore} øre | \
                     {captured_by_provider_ore} øre | {refunded_by_log_ore} øre | {refunded_by_provider_ore} øre |"
                ),
            );
        }
    }
}

/// Adds a line.
fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a text does not fail.
    let _ = writeln!(out, "{text}");
}
