//! Receipts and credit notes.

use documents::Language;
use documents::receipt::{Kind, Line, Receipt, Seller, pdf};

use crate::poppler::{self, Picture};

fn receipt(lines: usize) -> Receipt<'static> {
    let line = |index: usize| Line {
        text: "Konkurranselisens bilcross",
        detail: "NMK Østre Ærfugl, 6.–7. juni 2026, Kari Nordmann",
        price_ore: 123_450,
        tax_code: if index.is_multiple_of(2) { "5" } else { "3" },
        tax_rate: if index.is_multiple_of(2) { 0 } else { 2500 },
        tax_ore: if index.is_multiple_of(2) { 0 } else { 24_690 },
    };
    Receipt {
        kind: Kind::Receipt,
        number: "K-2026-000123",
        order_number: "BL-7F3K-92QD",
        issued_on: "2026-05-01".parse().unwrap(),
        paid_by: "Vipps",
        seller: Seller {
            name: "Norges Bilsportforbund",
            organization_number: "123 456 785",
            registered_for_tax: true,
            address: "Postboks 60 Bryn, 0611 Oslo",
        },
        lines: (0..lines).map(line).collect(),
    }
}

#[test]
fn a_receipt_has_its_lines_its_sum_and_its_tax() {
    if !poppler::is_there() {
        return;
    }
    let file = pdf(&receipt(3), Language::Nb).unwrap();
    let text = poppler::text(&file);
    for part in [
        "Kvittering K-2026-000123",
        "Org.nr. 123 456 785 MVA",
        "Dato: 1. mai 2026",
        "Konkurranselisens bilcross",
        "Sum 3 703,50 kr",
        "Avgiftskode 3, 25 %: grunnlag 987,60, mva. 246,90",
        "Avgiftskode 5, 0 %: grunnlag 2 469,00, mva. 0,00",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let darkness = Picture::of(&file).darkness();
    assert!((0.005..0.2).contains(&darkness), "{darkness}");
}

#[test]
fn a_credit_note_names_its_receipt() {
    if !poppler::is_there() {
        return;
    }
    let note = Receipt {
        kind: Kind::CreditNote { of: "K-2026-000123" },
        number: "N-2026-000004",
        ..receipt(1)
    };
    let text = poppler::text(&pdf(&note, Language::En).unwrap());
    for part in [
        "Credit note N-2026-000004",
        "For receipt: K-2026-000123",
        "Paid back by: Vipps",
        "Total credited NOK 1,234.50",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

#[test]
fn a_hundred_lines_take_pages_and_none_is_lost() {
    if !poppler::is_there() {
        return;
    }
    let text = poppler::text(&pdf(&receipt(100), Language::Nb).unwrap());
    assert_eq!(text.matches("Konkurranselisens bilcross").count(), 100);
    assert_eq!(text.matches("Sum ").count(), 1);
    assert_eq!(text.matches('\u{c}').count(), 7, "pages");
}
