//! Sales with their receipts, as commands' events.

use chrono::{NaiveDate, Utc};
use event_store::NewEvent;
use events::{
    LicenseCheckedIn, LicenseCorrected, LicenseEvent, LicenseGranted, LicenseRevoked, OrderEvent,
    OrderPlaced, ReceiptIssued, ReceiptLine, ReceiptSeriesEvent, RevokeReason, Scan, Standing, Verdict,
    aggregate_type,
};
use read_model::ReceiptKind;
use uuid::Uuid;

use crate::shop;

/// An order, and how many events its aggregates have.
pub(crate) struct Sale {
    pub(crate) order: Uuid,
    placed: OrderPlaced,
    events: u64,
    license_events: [u64; 2],
}

impl Sale {
    pub(crate) fn new(number: u32) -> Self {
        Self {
            order: Uuid::now_v7(),
            placed: shop::placed(number),
            events: 0,
            license_events: [0; 2],
        }
    }

    /// From the order to the collected money.
    pub(crate) fn buy(&mut self) -> Vec<Vec<NewEvent>> {
        (self.events, self.license_events) = (5, [1; 2]);
        shop::purchase_of(self.order, self.placed.clone())
    }

    /// A further event of the order.
    pub(crate) fn event(&mut self, event: &OrderEvent) -> Vec<NewEvent> {
        self.events += 1;
        vec![shop::new(aggregate_type::ORDER, self.order, self.events, event)]
    }

    /// A further event of the license of a line.
    pub(crate) fn license(&mut self, line: usize, event: fn(Uuid) -> LicenseEvent) -> Vec<NewEvent> {
        let sequence = &mut self.license_events[line - 1];
        *sequence += 1;
        let id = self.placed.lines[line - 1].license_id;
        vec![shop::new(
            aggregate_type::LICENSE,
            id,
            *sequence,
            &event(self.order),
        )]
    }
}

/// The series of receipts of a year.
pub(crate) struct Books {
    year: i32,
    series: Uuid,
    issued: u32,
}

impl Books {
    pub(crate) fn new(year: i32) -> Self {
        Self {
            year,
            series: Uuid::now_v7(),
            issued: 0,
        }
    }

    /// For all lines of a sale.
    pub(crate) fn receipt(&mut self, sale: &Sale) -> Vec<NewEvent> {
        let lines: Vec<(u16, i64)> = sale
            .placed
            .lines
            .iter()
            .map(|line| (line.line, line.price_ore))
            .collect();
        self.issue(ReceiptKind::Receipt, sale, &lines)
    }

    /// For amounts of some lines that went back.
    pub(crate) fn credit(&mut self, sale: &Sale, lines: &[(u16, i64)]) -> Vec<NewEvent> {
        self.issue(ReceiptKind::CreditNote, sale, lines)
    }

    fn issue(&mut self, kind: ReceiptKind, sale: &Sale, lines: &[(u16, i64)]) -> Vec<NewEvent> {
        self.issued += 1;
        let lines: Vec<ReceiptLine> = lines
            .iter()
            .map(|(line, ore)| line_of(sale, *line, *ore))
            .collect();
        let receipt_number = format!("{}-{:06}", self.year, self.issued);
        // A receipt every three days, so that there are several months.
        let day = NaiveDate::from_yo_opt(self.year, self.issued * 3).unwrap();
        let issued = ReceiptIssued {
            receipt_id: Uuid::new_v5(&self.series, receipt_number.as_bytes()),
            year: self.year,
            number: self.issued,
            receipt_number,
            kind,
            corrects: None,
            order_id: sale.order,
            order_number: sale.placed.order_number.clone(),
            customer_id: sale.placed.customer_id,
            provider: sale.placed.payment_provider.clone(),
            payment_reference: sale.placed.payment_reference.clone(),
            cause: 1,
            happened_at: Utc::now(),
            happened_on: day,
            gross_ore: lines.iter().map(|line| line.gross_ore).sum(),
            tax_ore: lines.iter().map(|line| line.tax_ore).sum(),
            lines,
            currency: "NOK".into(),
        };
        let event = ReceiptSeriesEvent::from(issued);
        vec![shop::new(
            aggregate_type::RECEIPT_SERIES,
            self.series,
            self.issued.into(),
            &event,
        )]
    }
}

/// A line of a receipt, with a fifth of it as tax.
fn line_of(sale: &Sale, line: u16, gross_ore: i64) -> ReceiptLine {
    let of_order = &sale.placed.lines[usize::from(line) - 1];
    ReceiptLine {
        line,
        license_type: of_order.license_type.code.clone(),
        name_nb: of_order.license_type.name_nb.clone(),
        name_en: of_order.license_type.name_en.clone(),
        club_name: of_order.club_name.clone(),
        activity_date: of_order.activity_date,
        activity_days: of_order.activity_days,
        gross_ore,
        tax_code: "25".into(),
        tax_rate_permille: 250,
        tax_ore: gross_ore / 5,
    }
}

pub(crate) fn revoked(order_id: Uuid) -> LicenseEvent {
    LicenseRevoked {
        order_id,
        reason: RevokeReason::Refunded,
    }
    .into()
}

pub(crate) fn checked_in(order_id: Uuid) -> LicenseEvent {
    let now = Utc::now();
    LicenseCheckedIn {
        order_id,
        standing: Standing::Valid,
        scan: Scan {
            scan_id: Uuid::now_v7(),
            at: now,
            clock_offset_ms: None,
            received_at: now,
            admitted_at: now,
            at_suspect: false,
            device_id: "phone-1".into(),
            gate: "Port 2".into(),
            verdict: Verdict::Valid,
            reason: None,
        },
    }
    .into()
}

pub(crate) fn corrected(order_id: Uuid) -> LicenseEvent {
    LicenseCorrected {
        order_id,
        reason: envelope::Personal::new("A wrong plate".into()),
        holder: None,
        vehicle: Some(events::Vehicle {
            registration: Some(envelope::Personal::new("EK 54321".into())),
            ..events::Vehicle::default()
        }),
    }
    .into()
}

/// A license without an order.
pub(crate) fn granted() -> Vec<NewEvent> {
    let mut license = shop::issued(Uuid::now_v7());
    license.price_ore = 0;
    let granted = LicenseEvent::from(LicenseGranted {
        license,
        reason: envelope::Personal::new("A guest".into()),
    });
    vec![shop::new(aggregate_type::LICENSE, Uuid::now_v7(), 1, &granted)]
}
