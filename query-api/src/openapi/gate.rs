//! The operations that anyone may use who holds a license in hand, or keeps a gate.

use query::not_an_id;
use query::openapi::{key, min_position, of_every_read};
use read_model::LICENSES;
use serde_json::{Value, json};
use service::docs::{self, Header, Parameter as Shared};
use service::problem::Problem;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{
    AdditionalProperties, Array, KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, SchemaType,
    Type,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ContentBuilder, HttpMethod, OpenApi, RefOr, Required, Response, ResponseBuilder};

use crate::codes::keys_missing;

const TAG: &str = "gate";

/// The names of the headers of rows.
pub(super) const OF_ROWS: [Header; 2] = [Header::EventPosition, Header::EventStale];

/// Adds them.
pub(super) fn add(document: &mut OpenApi) {
    let tag = TagBuilder::new().name(TAG).description(Some(
        "What a gate needs to judge licenses, with a network and without.",
    ));
    document.tags.get_or_insert_default().push(tag.build());
    for (path, operation) in [
        ("/api/v1/licenses/{license_id}/verification", verification()),
        ("/.well-known/license-keys.json", license_keys()),
        ("/revocations", revocations()),
    ] {
        document
            .paths
            .add_path_operation(path, vec![HttpMethod::Get], operation);
    }
}

fn verification() -> OperationBuilder {
    let holder = object([
        (
            "initials",
            text("First letters of the words of the name, four at most.").into(),
        ),
        (
            "birth_year",
            ObjectBuilder::new()
                .schema_type(SchemaType::from_iter([Type::Integer, Type::Null]))
                .description(Some("Year of birth; null if the holder is erased."))
                .into(),
        ),
    ]);
    let of_row = |name: &str| -> RefOr<Schema> {
        LICENSES
            .column(name)
            .map_or_else(|| text("").into(), |column| (column.shape.schema)())
    };
    let names = [
        "license_id",
        "status",
        "license_type",
        "name_nb",
        "name_en",
        "club_id",
        "club_name",
        "activity_date",
        "activity_days",
    ];
    let rows = names.map(|name| (name, of_row(name)));
    let body = object(rows.into_iter().chain([("holder", Schema::from(holder).into())]));
    let example = json!({
        "license_id": "01990a4e-5a3c-7cc2-9d1e-0a7b6c5d4e3f", "status": "issued", "license_type": "konkurranse-bilcross",
        "name_nb": "Konkurranselisens bilcross", "name_en": "Competition license bilcross",
        "club_id": "01990a4e-5a3c-7cc2-9d1e-0a7b6c5d4e3f", "club_name": "NMK Testby", "activity_date": "2026-06-05",
        "activity_days": 1, "holder": {"initials": "K.N.", "birth_year": 1990},
    });
    let operation = operation("verify_license", "Whether a license is good", body, example, true)
        .description(Some(
            "Public: the id in a license's QR code is enough. Shows no more of the holder than initials and year of birth.",
        ))
        .parameter(key(&LICENSES))
        .parameter(min_position())
        .parameter_ref(Shared::MinPosition.reference());
    refused(operation, [not_an_id(LICENSES.key), Problem::not_found()])
}

fn license_keys() -> OperationBuilder {
    let key = object([
        ("kid", whole("Id in QR codes.").into()),
        ("public_key", text("Ed25519 public key, base64url.").into()),
        ("not_before", moment("When it begins to sign.").into()),
        (
            "not_after",
            moment("Licenses for later days are not accepted.").into(),
        ),
    ]);
    let body = object([
        ("keys", Schema::from(Array::new(Schema::from(key))).into()),
        ("at", moment("When the list was made, to the minute.").into()),
        ("signature", text("Of the root key, base64url.").into()),
    ]);
    let example = json!({
        "keys": [{"kid": 1, "public_key": "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w",
                  "not_before": "2026-01-01T00:00:00Z", "not_after": "2028-12-31T23:59:59Z"}],
        "at": "2026-05-01T10:00:00Z",
        "signature": "c2lnbmF0dXJlIG9mIHRoZSByb290IGtleSwgNjQgYnl0ZXMgaW4gYWxsLCBhcyBiYXNlNjR1cmwgc28gODYgY2hhcnM",
    });
    let operation = operation(
        "list_license_keys",
        "The keys that sign QR codes",
        body,
        example,
        false,
    )
    .description(Some(
        "`schemas/qr` describes the codes, and which bytes the root key signs.",
    ));
    refused(operation, [])
}

fn revocations() -> OperationBuilder {
    let hashes = |said: &'static str| -> RefOr<Schema> {
        let hash = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[0-9a-f]{16}$"));
        let mut array = Array::new(Schema::from(hash.build()));
        array.description = Some(said.to_owned());
        Schema::from(array).into()
    };
    let head = || -> [(&'static str, RefOr<Schema>); 4] {
        [
            (
                "epoch",
                uuid("Epoch of the log. With another one the caller forgets its list.").into(),
            ),
            ("position", whole("Log position that the list is true at.").into()),
            ("at", moment("When the list was made, to the minute.").into()),
            ("signature", text("Of the root key, base64url.").into()),
        ]
    };
    let full = object(
        head()
            .into_iter()
            .chain([("full", hashes("Every license to refuse."))]),
    );
    let changes = object(head().into_iter().chain([
        ("since", whole("Position that the changes begin after.").into()),
        ("added", hashes("To refuse from now on.")),
        ("removed", hashes("Valid again.")),
    ]));
    let body = OneOfBuilder::new()
        .item(Schema::from(full))
        .item(Schema::from(changes));
    let example = json!({
        "epoch": "01990a4e-5a3c-7cc2-9d1e-0a7b6c5d4e3f", "position": 4711, "at": "2026-05-01T10:00:00Z", "since": 4700,
        "added": ["9f86d081884c7d65"], "removed": [],
        "signature": "c2lnbmF0dXJlIG9mIHRoZSByb290IGtleSwgNjQgYnl0ZXMgaW4gYWxsLCBhcyBiYXNlNjR1cmwgc28gODYgY2hhcnM",
    });
    let operation = operation("list_revocations", "Licenses to refuse", body.build(), example, true)
        .description(Some(
            "The licenses of yesterday's activities and later that are revoked or suspended: the first 8 bytes of the \
             SHA-256 of the 16 bytes of each id. With `since`, what changed after that position.",
        ))
        .parameter(parameter("since", whole("Position of the caller's list."), json!(4700)))
        .parameter(parameter(
            "epoch",
            uuid("Epoch of the caller's list. If it is over, the answer is `full`."),
            json!("01990a4e-5a3c-7cc2-9d1e-0a7b6c5d4e3f"),
        ));
    refused(operation, [])
}

/// A public operation with this body.
fn operation(
    id: &str,
    summary: &str,
    body: impl Into<Schema>,
    example: Value,
    of_rows: bool,
) -> OperationBuilder {
    let content = ContentBuilder::new()
        .schema(Some(body.into()))
        .example(Some(example));
    let found = ResponseBuilder::new()
        .description("Found.")
        .content("application/json", content.build());
    let known = ResponseBuilder::new().description("The caller has this answer already.");
    OperationBuilder::new()
        .tag(TAG)
        .operation_id(Some(id))
        .summary(Some(summary))
        .parameter_ref(Shared::IfNoneMatch.reference())
        .response("200", with_headers(found, of_rows).build())
        .response("304", with_headers(known, of_rows).build())
}

fn refused(mut operation: OperationBuilder, problems: impl IntoIterator<Item = Problem>) -> OperationBuilder {
    let problems = problems
        .into_iter()
        .chain([keys_missing()])
        .chain(of_every_read());
    for (status, response) in docs::refusals(problems) {
        operation = operation.response(status.clone(), placed(&status, response));
    }
    operation
}

/// The headers of an answer, and those of rows.
pub(super) fn with_headers(mut response: ResponseBuilder, of_rows: bool) -> ResponseBuilder {
    let all = [Header::CacheControl, Header::ETag, Header::RequestId];
    for header in all.into_iter().chain(OF_ROWS.into_iter().filter(|_| of_rows)) {
        response = response.header_ref(header.name(), header.reference());
    }
    response
}

/// A refusal that says where the rows are, where they are known.
pub(super) fn placed(status: &str, mut response: Response) -> Response {
    if matches!(status, "400" | "404" | "503") {
        for header in OF_ROWS {
            response
                .headers
                .insert(header.name().to_owned(), RefOr::Ref(header.reference()));
        }
    }
    response
}

/// A parameter of the query.
pub(super) fn parameter(name: &str, schema: Schema, example: Value) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .schema(Some(schema))
        // An empty parameter counts as absent. utoipa has no field for it.
        .extensions(Some(Extensions::from_iter([("allowEmptyValue", true)])))
        .example(Some(example))
        .build()
}

/// An object that always has these properties and no others.
fn object(
    properties: impl IntoIterator<Item = (&'static str, RefOr<Schema>)>,
) -> utoipa::openapi::schema::Object {
    let mut object =
        ObjectBuilder::new().additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)));
    for (name, schema) in properties {
        object = object.property(name, schema).required(name);
    }
    object.build()
}

fn text(said: &str) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(said))
        .into()
}

fn moment(said: &str) -> Schema {
    formatted(said, KnownFormat::DateTime)
}

fn uuid(said: &str) -> Schema {
    formatted(said, KnownFormat::Uuid)
}

fn formatted(said: &str, format: KnownFormat) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(format)))
        .description(Some(said))
        .into()
}

fn whole(said: &str) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(0))
        .maximum(Some(i64::MAX))
        .description(Some(said))
        .into()
}
