//! The parameters that every operation has: which columns, which page, and the position to wait for.

use axum::http::StatusCode;
use service::problem::Problem;
use uuid::Uuid;

use crate::column::Column;
use crate::filter::{Filter, Selection};
use crate::parameters::{MinPosition, Parameters, uuid};
use crate::resource::{Direction, Resource, Sort, SortKind, SortValue};

/// Rows of a page without `limit`.
pub(crate) const DEFAULT_LIMIT: u16 = 50;
/// The most rows of a page.
pub(crate) const MAX_LIMIT: u16 = 200;

/// What a request asks of a row.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) columns: Vec<&'static Column>,
    pub(crate) min_position: Option<MinPosition>,
    pub(crate) if_none_match: Option<String>,
}

/// What a request asks of a list.
#[derive(Debug)]
pub(crate) struct ListView {
    pub(crate) view: View,
    pub(crate) selection: Selection,
    pub(crate) sort: &'static Sort,
    pub(crate) direction: Direction,
    pub(crate) limit: u16,
    pub(crate) count: bool,
    pub(crate) begin: Beginning,
}

/// Where a list begins.
#[derive(Debug, PartialEq)]
pub(crate) enum Beginning {
    /// With its first row.
    First,
    /// With the first row whose sort key is not before this.
    Seek(SortValue),
    /// Where this cursor says.
    Cursor(String),
}

/// The view of one row, if nothing in the parameters was wrong.
pub(crate) fn of_one(mut parameters: Parameters, resource: &'static Resource) -> Result<View, Problem> {
    let view = view(&mut parameters, resource);
    parameters.finish()?;
    Ok(view)
}

/// The view of fixed columns of one row, if nothing in the parameters was wrong. A column that does not exist is left out.
pub(crate) fn of_excerpt(
    mut parameters: Parameters,
    resource: &'static Resource,
    columns: &[&str],
) -> Result<View, Problem> {
    let view = View {
        columns: excerpt(resource, columns).collect(),
        min_position: parameters.min_position(),
        if_none_match: parameters.if_none_match(),
    };
    parameters.finish()?;
    Ok(view)
}

/// The columns of these names.
pub(crate) fn excerpt(
    resource: &'static Resource,
    columns: &[&str],
) -> impl Iterator<Item = &'static Column> {
    columns.iter().filter_map(|name| resource.column(name))
}

/// The view of a list, if nothing in the parameters was wrong.
pub(crate) fn of_list(mut parameters: Parameters, resource: &'static Resource) -> Result<ListView, Problem> {
    let selection = parameters.selection(resource.filters);
    let (sort, direction) = match selection.with_own_sort() {
        Some(filter) => own_sort(&mut parameters, resource, filter),
        None => sort(&mut parameters, resource),
    };
    let limit = parameters.integer("limit", &(1..=i64::from(MAX_LIMIT)));
    let list = ListView {
        selection,
        sort,
        direction,
        limit: limit
            .and_then(|limit| u16::try_from(limit).ok())
            .unwrap_or(DEFAULT_LIMIT),
        count: parameters.boolean("count").unwrap_or(false),
        begin: beginning(&mut parameters, sort.kind, direction),
        view: view(&mut parameters, resource),
    };
    parameters.finish()?;
    Ok(list)
}

/// The key of a row as it stands in a path; 400 if it is none.
pub fn parse_key(resource: &Resource, key: &str) -> Result<Uuid, Problem> {
    uuid(key).ok_or_else(|| not_an_id(resource.key))
}

/// 400: the id in the path is none.
pub fn not_an_id(parameter: &str) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed_path",
        "Adressen er ikke gyldig.",
        "The address is not valid.",
    )
    .field(
        format!("/{parameter}"),
        "invalid_uuid",
        "Verdien må være en UUID.",
        "The value must be a UUID.",
    )
}

fn view(parameters: &mut Parameters, resource: &'static Resource) -> View {
    View {
        columns: columns(parameters, resource),
        min_position: parameters.min_position(),
        if_none_match: parameters.if_none_match(),
    }
}

/// The columns in `fields`, each once, in the resource's order; those that are there anyway without it.
fn columns(parameters: &mut Parameters, resource: &'static Resource) -> Vec<&'static Column> {
    let all = || resource.shown();
    let Some(fields) = parameters.take("fields") else {
        return resource.selected().collect();
    };
    let names: Vec<&str> = fields.split(',').map(str::trim).collect();
    if names.iter().any(|name| resource.column(name).is_none()) {
        let allowed = all().map(|column| column.name).collect::<Vec<_>>().join(", ");
        let (nb, en) = (
            format!("Feltene som finnes er: {allowed}."),
            format!("The fields are: {allowed}."),
        );
        parameters.refuse("fields", "unknown_field", nb, en);
    }
    all().filter(|column| names.contains(&column.name)).collect()
}

/// `cursor`, or `seek`.
fn beginning(parameters: &mut Parameters, kind: SortKind, direction: Direction) -> Beginning {
    let cursor = parameters.take("cursor");
    let sought = match kind {
        SortKind::Date => parameters.date("seek").map(SortValue::Date),
        SortKind::Number => parameters
            .integer("seek", &(i64::MIN..=i64::MAX))
            .map(SortValue::Integer),
        SortKind::Moment => parameters
            .moment_towards("seek", direction)
            .map(SortValue::Timestamp),
        SortKind::Text => parameters.text("seek").map(SortValue::Text),
    };
    match (cursor, sought) {
        (None, None) => Beginning::First,
        (None, Some(value)) => Beginning::Seek(value),
        (Some(cursor), None) => Beginning::Cursor(cursor),
        (Some(cursor), Some(_)) => {
            parameters.refuse(
                "seek",
                "conflicting_parameter",
                "En liste begynner enten ved en verdi eller ved en sidepeker.",
                "A list begins at a value or at a cursor, not at both.",
            );
            Beginning::Cursor(cursor)
        }
    }
}

/// The sort named in `sort`, descending after a `-`; the resource's own without it.
fn sort(parameters: &mut Parameters, resource: &'static Resource) -> (&'static Sort, Direction) {
    sort_of(parameters, resource, |_| true)
}

/// As [`sort`], among the sorts that are offered.
pub(crate) fn sort_of(
    parameters: &mut Parameters,
    resource: &'static Resource,
    offered: fn(&Sort) -> bool,
) -> (&'static Sort, Direction) {
    let first = resource.sorts.iter().find(|sort| offered(sort));
    let default = (first.unwrap_or(&resource.sorts[0]), resource.default_direction);
    let Some(asked) = parameters.take("sort") else {
        return default;
    };
    let (name, direction) = match asked.strip_prefix('-') {
        Some(name) => (name, Direction::Descending),
        None => (asked.as_str(), Direction::Ascending),
    };
    let sort = resource.sort(name).filter(|sort| offered(sort));
    let mut filters = resource.filters.iter();
    if let Some(filter) = filters.find(|filter| sort.is_some() && filter.sorted_by == Some(name)) {
        parameters.refuse(
            "sort",
            "missing_filter",
            format!(
                "Denne rekkefølgen hører til {}. Legg til {}.",
                filter.name, filter.name
            ),
            format!("This order belongs to {}. Add {}.", filter.name, filter.name),
        );
        return default;
    }
    if let Some(sort) = sort {
        return (sort, direction);
    }
    let belongs = |sort: &Sort| {
        let mut filters = resource.filters.iter();
        filters.any(|filter| filter.sorted_by == Some(sort.name))
    };
    let list = sorts(resource, |sort| offered(sort) && !belongs(sort)).join(", ");
    parameters.refuse(
        "sort",
        "invalid_choice",
        format!("Verdien må være en av: {list}."),
        format!("The value must be one of: {list}."),
    );
    default
}

/// The sort that goes with a filter. Another one is refused.
fn own_sort(
    parameters: &mut Parameters,
    resource: &'static Resource,
    filter: &'static Filter,
) -> (&'static Sort, Direction) {
    let own = filter.sorted_by.unwrap_or_default();
    if parameters.take("sort").is_some_and(|asked| asked != own) {
        parameters.refuse(
            "sort",
            "invalid_choice",
            format!("Med {} er rekkefølgen {own}.", filter.name),
            format!("With {} the order is {own}.", filter.name),
        );
    }
    let sort = resource.sort(own).unwrap_or(&resource.sorts[0]);
    (sort, Direction::Ascending)
}

/// Every value of `sort` that is offered.
pub(crate) fn sorts(resource: &'static Resource, offered: impl Fn(&Sort) -> bool) -> Vec<String> {
    let sorts = resource.sorts.iter().filter(|sort| offered(sort));
    sorts
        .flat_map(|sort| [sort.name.to_owned(), format!("-{}", sort.name)])
        .collect()
}
