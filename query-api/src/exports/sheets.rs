//! The columns of the spreadsheets. What has no place in a cell, such as the lines of an order, is in NDJSON only.

/// The columns of a spreadsheet, in their order; the first is the id of the row.
pub(super) type Sheet = [Cell];

/// A column of a spreadsheet.
#[derive(Debug)]
pub(super) struct Cell {
    /// Its name in the first line.
    pub(super) name: &'static str,
    /// The column of the resource.
    pub(super) column: &'static str,
    /// Where in that column's JSON the value is, as a JSON pointer; empty for all of it.
    pub(super) pointer: &'static str,
    /// How it is written.
    pub(super) form: Form,
}

/// How a value is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// As it stands.
    Text,
    /// Øre as kroner.
    Money,
    /// A moment, as date and time in Norway.
    Moment,
}

const fn text(name: &'static str) -> Cell {
    part(name, name, "")
}

const fn part(name: &'static str, column: &'static str, pointer: &'static str) -> Cell {
    Cell {
        name,
        column,
        pointer,
        form: Form::Text,
    }
}

const fn moment(name: &'static str) -> Cell {
    Cell {
        form: Form::Moment,
        ..text(name)
    }
}

const fn money(name: &'static str, column: &'static str, pointer: &'static str) -> Cell {
    Cell {
        form: Form::Money,
        ..part(name, column, pointer)
    }
}

pub(super) static ORDERS: [Cell; 17] = [
    text("order_id"),
    text("order_number"),
    text("status"),
    money("total_kr", "total_ore", ""),
    money("captured_kr", "payment", "/captured_ore"),
    money("refunded_kr", "payment", "/refunded_ore"),
    money("written_off_kr", "payment", "/written_off_ore"),
    part("provider", "payment", "/provider"),
    part("payment_reference", "payment", "/reference"),
    text("license_types"),
    text("club_ids"),
    text("activity_from"),
    text("activity_to"),
    text("customer_id"),
    moment("created_at"),
    moment("paid_at"),
    moment("fulfilled_at"),
];

pub(super) static LICENSES: [Cell; 25] = [
    text("license_id"),
    text("order_number"),
    text("line"),
    text("status"),
    text("license_type"),
    text("category"),
    text("discipline"),
    text("role"),
    text("name_nb"),
    text("club_id"),
    text("club_name"),
    text("activity_date"),
    text("activity_days"),
    part("holder_name", "holder", "/name"),
    part("holder_birth_date", "holder", "/birth_date"),
    part("holder_phone", "holder", "/phone"),
    part("holder_email", "holder", "/email"),
    part("registration", "vehicle", "/registration"),
    part("vehicle_license", "vehicle", "/vehicle_license"),
    part("chassis", "vehicle", "/chassis"),
    money("price_kr", "price_ore", ""),
    moment("issued_at"),
    moment("checked_in_at"),
    text("checked_in_gate"),
    moment("revoked_at"),
];

pub(super) static RECEIPTS: [Cell; 14] = [
    text("receipt_id"),
    text("receipt_number"),
    text("kind"),
    text("corrects"),
    text("happened_on"),
    moment("happened_at"),
    money("gross_kr", "gross_ore", ""),
    money("tax_kr", "tax_ore", ""),
    text("currency"),
    text("order_id"),
    text("order_number"),
    text("customer_id"),
    text("provider"),
    text("payment_reference"),
];

#[cfg(test)]
mod tests {
    use super::{LICENSES, ORDERS, RECEIPTS, Sheet};

    #[test]
    fn every_cell_is_of_a_column_and_the_first_is_the_key() {
        let sheets: [(&query::Resource, &Sheet); 3] = [
            (&read_model::ORDERS, &ORDERS),
            (&read_model::LICENSES, &LICENSES),
            (&read_model::RECEIPTS, &RECEIPTS),
        ];
        for (resource, sheet) in sheets {
            assert_eq!(sheet[0].name, resource.key);
            for cell in sheet {
                let column = resource.selected().find(|column| column.name == cell.column);
                let column = column.unwrap_or_else(|| panic!("{} has no {}", resource.name, cell.column));
                let example: serde_json::Value = serde_json::from_str(resource.example).unwrap();
                let value = example[column.name].pointer(cell.pointer);
                let optional = ["/vehicle_license", "/chassis"].contains(&cell.pointer);
                assert!(value.is_some() || optional, "{} has no {cell:?}", resource.name);
            }
        }
    }
}
