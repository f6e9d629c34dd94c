use chrono::NaiveDate;

use super::*;
use crate::filter::FilterValue;
use crate::resource::{PagePosition, SortValue};
use crate::sample::NOTES;

fn cursor() -> Cursor {
    Cursor {
        edge: Edge::after(PagePosition {
            sort: SortValue::Text("Bodø".into()),
            id: Uuid::max(),
        }),
        epoch: Uuid::nil(),
    }
}

fn selection(q: &str) -> Selection {
    let mut selection = Selection::default();
    selection.push(&NOTES.filters[7], FilterValue::Text(q.into()));
    selection
}

#[test]
fn only_the_same_list_and_reader_opens_it() {
    static OTHERS: Resource = Resource {
        name: "others",
        ..NOTES_AGAIN
    };
    let cursors = Cursors::new(&[7; 32]).unwrap();
    let (filter, other) = (selection("a"), selection("b"));
    let (me, you) = (Some(Uuid::from_u128(1)), Some(Uuid::from_u128(2)));
    let (sort, ascending) = (&NOTES.sorts[0], Direction::Ascending);
    let sealed = cursors
        .seal(&cursor(), &Binding::new(&NOTES, sort, ascending, &filter, me))
        .unwrap();
    let open = |binding| cursors.open(&sealed, &binding).ok();
    assert_eq!(
        open(Binding::new(&NOTES, sort, ascending, &filter, me)),
        Some(cursor())
    );
    assert_eq!(open(Binding::new(&NOTES, sort, ascending, &filter, you)), None);
    assert_eq!(open(Binding::new(&NOTES, sort, ascending, &filter, None)), None);
    assert_eq!(open(Binding::new(&NOTES, sort, ascending, &other, me)), None);
    assert_eq!(
        open(Binding::new(&NOTES, sort, Direction::Descending, &filter, me)),
        None
    );
    assert_eq!(
        open(Binding::new(&NOTES, &NOTES.sorts[1], ascending, &filter, me)),
        None
    );
    assert_eq!(open(Binding::new(&OTHERS, sort, ascending, &filter, me)), None);
}

/// What differs from `NOTES` in name alone.
const NOTES_AGAIN: Resource = Resource {
    name: "notes",
    schema: "Note",
    description: "",
    projection: "samples",
    table: "notes",
    key: "note_id",
    audience: crate::Audience::Personal,
    columns: &[],
    computed: &[],
    sorts: &[],
    default_direction: Direction::Ascending,
    example: "{}",
    filters: &[],
};

#[test]
fn any_other_byte_or_secret_refuses_it() {
    let cursors = Cursors::new(&[7; 32]).unwrap();
    let filter = Selection::default();
    let binding = Binding::new(&NOTES, &NOTES.sorts[0], Direction::Ascending, &filter, None);
    let sealed = cursors.seal(&cursor(), &binding).unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
    for index in 0..bytes.len() {
        let mut forged = bytes.clone();
        forged[index] ^= 1;
        assert!(
            cursors.open(&URL_SAFE_NO_PAD.encode(forged), &binding).is_err(),
            "byte {index}"
        );
    }
    assert!(Cursors::new(&[8; 32]).unwrap().open(&sealed, &binding).is_err());
    for malformed in ["", "a", "=", "æøå", &"A".repeat(5000)] {
        assert_eq!(
            cursors.open(malformed, &binding).unwrap_err().code(),
            "cursor_invalid"
        );
    }
}

#[test]
fn a_short_secret_is_refused() {
    assert!(Cursors::new(&[7; 31]).is_err());
}

/// A change of format refuses every cursor that clients hold. It must not happen by accident.
#[test]
fn the_format_of_cursors_stays() {
    let cursors = Cursors::new(&[7; 32]).unwrap();
    let mut filter = selection("kari");
    filter.push(&NOTES.filters[0], FilterValue::Uuid(Uuid::from_u128(3)));
    let day = NaiveDate::from_ymd_opt(2026, 6, 5).unwrap();
    filter.push(&NOTES.filters[3], FilterValue::Date(day));
    filter.push(&NOTES.filters[5], FilterValue::Integer(7));
    let reader = Some(Uuid::from_u128(1));
    let binding = Binding::new(&NOTES, &NOTES.sorts[1], Direction::Descending, &filter, reader);
    let sorts = [
        SortValue::Text("Bodø".into()),
        SortValue::Integer(42),
        SortValue::Date(day),
        SortValue::Timestamp(chrono::DateTime::UNIX_EPOCH),
    ];
    let opened: Vec<serde_json::Value> = sorts
        .iter()
        .map(|sort| {
            let place = PagePosition {
                sort: sort.clone(),
                id: Uuid::max(),
            };
            let epoch = Uuid::from_u128(2);
            let edge = Edge::before(place);
            serde_json::to_value(Cursor { edge, epoch }).unwrap()
        })
        .collect();
    insta::assert_json_snapshot!("opened", opened);
    insta::assert_json_snapshot!("bound_to", binding);
    insta::assert_snapshot!("sealed", cursors.seal(&cursor(), &binding).unwrap());
    // Cursors of builds that only knew the way forth, which people hold while a new one is deployed.
    let of_before = "QZK789980SH75VPX32dW9WcjtRCCpGl0p0D1EuagqKR7InBsYWNlIjp7InNvcnQiOnsidGV4dCI6IkJvZMO4In0sImlkIjoiZmZmZmZmZmYtZmZmZi1mZmZmLWZmZmYtZmZmZmZmZmZmZmZmIn0sImVwb2NoIjoiMDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwIn0";
    assert_eq!(cursors.open(of_before, &binding).ok(), Some(cursor()));
}
