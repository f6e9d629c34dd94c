//! The steps of an order's life, each as the commands that a running shop gives.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use domain::{
    CheckIn, Letter, LetterOutcome, LettersCommand, License, LicenseCommand, Order, OrderCommand,
    ReceiptSeriesCommand, Recipient, RefundStep, Refusal, RequestRefund, ScanReport, due_receipts,
    receipt_series_id, receipt_year,
};
use envelope::{EventPayload as _, Metadata, Personal};
use event_store::{CommandError, Member, Past};
use events::{ReceiptSeriesEvent, RevokeReason};
use vocabulary::{LetterFailure, LetterKind, PaymentProvider, Verdict, Word as _};

use crate::purchase::{Purchase, Step};
use crate::shop::Shop;

/// The reasons of staff, in their words.
const REFUNDED_BECAUSE: &[&str] = &[
    "Løpet er avlyst",
    "Føreren er syk, legeerklæring er mottatt",
    "Feil dato ved bestilling",
    "Bilen kom ikke gjennom teknisk kontroll",
];
const REVOKED_BECAUSE: &[&str] = &["Har gyldig helårslisens", "Feil lisenstype, ny er kjøpt"];
const GATES: &[&str] = &["Hovedport", "Port 1", "Port 2", "Depot", "Sekretariat"];
const DEVICES: &[&str] = &["nettbrett 1", "nettbrett 2", "mobil vakt", "mobil løpsleder"];

impl Shop {
    /// Takes an order one step further.
    pub(crate) async fn step(
        &mut self,
        purchase: &mut Purchase,
        at: DateTime<Utc>,
        step: Step,
    ) -> anyhow::Result<()> {
        let customer = purchase.customer_id.to_string();
        match step {
            Step::RequestPayment => {
                let command = self.payment(purchase);
                let metadata = purchase.metadata(&customer, Some("customer"));
                self.order(purchase, at, metadata, command).await
            }
            Step::Cancel => {
                let customer_id = purchase.customer_id;
                let metadata = purchase.metadata(&customer, Some("customer"));
                self.order(purchase, at, metadata, OrderCommand::Cancel { customer_id })
                    .await
            }
            Step::Decline => {
                let reference = reference(&purchase.order.aggregate);
                let metadata = purchase.metadata("process:settle", None);
                self.order(purchase, at, metadata, OrderCommand::DeclinePayment { reference })
                    .await
            }
            Step::Expire => {
                let metadata = purchase.metadata("process:settle", None);
                self.order(purchase, at, metadata, OrderCommand::Expire { now: at })
                    .await
            }
            Step::Pay => {
                let placed = purchase.order.aggregate.placed().context("an order is placed")?;
                let command = OrderCommand::ConfirmPayment {
                    reference: reference(&purchase.order.aggregate),
                    authorized_ore: placed.total_ore,
                    now: at,
                    days_taken: false,
                };
                let metadata = purchase.metadata(purchase.provider.as_str(), None);
                self.order(purchase, at, metadata, command).await
            }
            Step::Fulfill => self.fulfill(purchase, at).await,
            Step::Capture => self.settle(purchase, at, "process:capture").await,
            Step::PayBack => self.settle(purchase, at, "process:refund").await,
            Step::SendLicenses => self.send_licenses(purchase, at).await,
            Step::SendReceipt => self.send_receipts(purchase, at).await,
            Step::Refund(lines) => self.refund(purchase, at, lines).await,
            Step::CheckIn(line) => self.check_in(purchase, at, line).await,
            Step::Revoke(line) => {
                let reason = (*self.dice.one_of(REVOKED_BECAUSE)).to_owned();
                let staff = self.login("staff 1").to_string();
                let metadata = purchase.metadata(&staff, Some("staff"));
                self.license(
                    purchase,
                    at,
                    line,
                    metadata,
                    LicenseCommand::RevokeByStaff { reason },
                )
                .await
            }
        }
    }

    /// Where the customer pays.
    fn payment(&mut self, purchase: &Purchase) -> OrderCommand {
        let id = match purchase.provider {
            PaymentProvider::Vipps => purchase.order.id().to_string(),
            PaymentProvider::Nexi => self.dice.id().simple().to_string(),
        };
        let host = match purchase.provider {
            PaymentProvider::Vipps => "landing.vipps.example",
            PaymentProvider::Nexi => "checkout.nexi.example",
        };
        OrderCommand::RequestPayment {
            redirect_url: format!("https://{host}/pay/{id}"),
            payment_id: id,
        }
    }

    /// A command on the order itself.
    async fn order(
        &mut self,
        purchase: &mut Purchase,
        at: DateTime<Utc>,
        metadata: Metadata,
        command: OrderCommand,
    ) -> anyhow::Result<()> {
        let order = &mut purchase.order;
        let past = self
            .command_handler
            .decide_past(at, metadata, async |unit| unit.handle(order, command).await)
            .await?;
        self.keep(purchase, past).await
    }

    async fn keep(&mut self, purchase: &mut Purchase, past: Option<Past>) -> anyhow::Result<()> {
        let order_id = purchase.order.id();
        // Each step is planned so that it changes something.
        let past = past.with_context(|| format!("a step of order {order_id} decides nothing"))?;
        purchase.cause = self.outlet.add(past).await?;
        Ok(())
    }

    async fn fulfill(&mut self, purchase: &mut Purchase, at: DateTime<Utc>) -> anyhow::Result<()> {
        let order_id = purchase.order.id();
        let paid = purchase
            .order
            .aggregate
            .paid(order_id)
            .context("the order is paid")?;
        let metadata = purchase.metadata("process:fulfill", None);
        let (order, licenses) = (&mut purchase.order, &mut purchase.licenses);
        let past = self
            .command_handler
            .decide_past(at, metadata, async |unit| {
                for (line, license_id) in paid.license_ids() {
                    let mut license = unit.create::<License>(license_id);
                    let order = paid.clone();
                    unit.handle(&mut license, LicenseCommand::Issue { order, line })
                        .await?;
                    licenses.push((line, license));
                }
                unit.handle(order, OrderCommand::Fulfill).await
            })
            .await?;
        self.counts.licenses += purchase.licenses.len() as u64;
        self.keep(purchase, past).await
    }

    /// Moves the money that is due at the provider, records it, and numbers what that asks for.
    async fn settle(
        &mut self,
        purchase: &mut Purchase,
        at: DateTime<Utc>,
        actor: &str,
    ) -> anyhow::Result<()> {
        let before = purchase.order.aggregate.clone();
        let mut books = before.known_books().context("an order is placed")?;
        if let Some(ore) = before.to_collect(&books) {
            books.captured_ore += ore;
            books.collectable_ore -= ore;
            self.counts.captured_ore += ore;
        } else if let RefundStep::PayBack(ore) = before.refund_step(&books) {
            books.refunded_ore += ore;
            self.counts.refunded_ore += ore;
        }
        let policy = Arc::clone(&self.capture_policy);
        let metadata = purchase.metadata(actor, None);
        self.order(
            purchase,
            at,
            metadata,
            OrderCommand::ReconcilePayment { books, policy },
        )
        .await?;
        let moved = (purchase.cause.get(), at);
        let states = (&before, &purchase.order.aggregate);
        let due = due_receipts(purchase.order.id(), states, moved, purchase.receipt.clone());
        let year = receipt_year(at);
        let series = self
            .series
            .entry(year)
            .or_insert_with(|| Member::new(receipt_series_id(year)));
        let command = ReceiptSeriesCommand::Issue { year, due };
        let past = self
            .command_handler
            .decide_past(at, purchase.metadata("process:receipts", None), async |unit| {
                unit.handle(series, command).await
            })
            .await?
            .context("money that moved has a receipt")?;
        for issued in numbered(&past)? {
            purchase.receipt.get_or_insert_with(|| issued.clone());
            purchase.unsent.push(issued);
            self.counts.receipts += 1;
        }
        purchase.cause = self.outlet.add(past).await?;
        Ok(())
    }

    async fn refund(
        &mut self,
        purchase: &mut Purchase,
        at: DateTime<Utc>,
        lines: Option<Vec<u16>>,
    ) -> anyhow::Result<()> {
        let staff = self.login("staff 2").to_string();
        let metadata = purchase.metadata(&staff, Some("staff"));
        let asked = RequestRefund {
            lines: lines.clone(),
            reason: (*self.dice.one_of(REFUNDED_BECAUSE)).to_owned(),
            overridden: false,
            checked_in: BTreeSet::new(),
            policy: Arc::clone(&self.refund_policy),
            now: at,
        };
        let (order, licenses) = (&mut purchase.order, &mut purchase.licenses);
        let past = self
            .command_handler
            .decide_past(at, metadata, async |unit| {
                unit.handle(order, OrderCommand::RequestRefund(Box::new(asked)))
                    .await?;
                for (line, license) in licenses {
                    if lines.as_ref().is_none_or(|lines| lines.contains(line)) {
                        let reason = RevokeReason::Refunded;
                        unit.handle(license, LicenseCommand::Revoke { reason }).await?;
                    }
                }
                Ok::<_, CommandError<Refusal>>(())
            })
            .await?;
        self.keep(purchase, past).await
    }

    async fn check_in(
        &mut self,
        purchase: &mut Purchase,
        at: DateTime<Utc>,
        line: u16,
    ) -> anyhow::Result<()> {
        let report = ScanReport {
            scan_id: self.dice.id(),
            at: at - self.dice.millis(300, 2_500),
            clock_offset_ms: None,
            device_id: (*self.dice.one_of(DEVICES)).to_owned(),
            gate: (*self.dice.one_of(GATES)).to_owned(),
            verdict: Verdict::Valid,
            reason: None,
        };
        let check_in = CheckIn {
            report,
            received_at: at,
            invalid_since: None,
        };
        self.counts.scans += 1;
        let gatekeeper = self.login("gate").to_string();
        let metadata = purchase.metadata(&gatekeeper, Some("organizer"));
        self.license(
            purchase,
            at,
            line,
            metadata,
            LicenseCommand::CheckIn(Box::new(check_in)),
        )
        .await
    }

    async fn license(
        &mut self,
        purchase: &mut Purchase,
        at: DateTime<Utc>,
        line: u16,
        metadata: Metadata,
        command: LicenseCommand,
    ) -> anyhow::Result<()> {
        let license = purchase.licenses.iter_mut().find(|(of, _)| *of == line);
        let (_, license) = license.context("the line has its license")?;
        let past = self
            .command_handler
            .decide_past(at, metadata, async |unit| unit.handle(license, command).await)
            .await?;
        self.keep(purchase, past).await
    }

    async fn send_licenses(&mut self, purchase: &mut Purchase, at: DateTime<Utc>) -> anyhow::Result<()> {
        let documents = u16::try_from(purchase.licenses.len()).unwrap_or_default();
        self.send(purchase, at, LetterKind::License, None, documents)
            .await
    }

    async fn send_receipts(&mut self, purchase: &mut Purchase, at: DateTime<Utc>) -> anyhow::Result<()> {
        for number in std::mem::take(&mut purchase.unsent) {
            self.send(purchase, at, LetterKind::Receipt, Some(number), 1)
                .await?;
        }
        Ok(())
    }

    async fn send(
        &mut self,
        purchase: &mut Purchase,
        at: DateTime<Utc>,
        kind: LetterKind,
        receipt_number: Option<String>,
        documents: u16,
    ) -> anyhow::Result<()> {
        let placed = purchase.order.aggregate.placed().context("an order is placed")?;
        let letter = Letter {
            order_id: purchase.order.id(),
            order_number: placed.order_number.clone(),
            kind,
            receipt_number,
        };
        let outcome = match purchase.address.clone() {
            Some((id, address)) => LetterOutcome::Sent {
                to: Recipient {
                    id,
                    address: Personal::new(address),
                },
                message_id: format!("<{}@bilsportlisens.no>", letter.id()),
                documents,
            },
            None => LetterOutcome::Undeliverable {
                reason: LetterFailure::NoAddress,
                to: None,
                reply: None,
            },
        };
        let metadata = purchase.metadata("process:letter", None);
        let letters = &mut purchase.letters;
        let past = self
            .command_handler
            .decide_past(at, metadata, async |unit| {
                unit.handle(letters, LettersCommand::End { letter, outcome })
                    .await
            })
            .await?;
        self.keep(purchase, past).await
    }
}

/// The payment's id at the provider.
fn reference(order: &Order) -> String {
    order.payment_id().unwrap_or_default().to_owned()
}

/// The numbers that a series has given.
fn numbered(past: &Past) -> anyhow::Result<Vec<String>> {
    let mut numbers = Vec::new();
    for event in &past.events {
        let event = ReceiptSeriesEvent::decode(&event.event_type, &event.event_version, event.payload.get())?;
        let ReceiptSeriesEvent::ReceiptIssued(issued) = event;
        numbers.push(issued.receipt_number);
    }
    Ok(numbers)
}
