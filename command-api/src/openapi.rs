//! The OpenAPI document, made from the route table and from what each operation declares.

use domain::{Field, Refusal, Rule};
use service::auth::Who;
use service::docs::{
    Header, Parameter, document, needs_login, of_every_request, of_login, of_request_bodies, refusals,
};
use service::extract::malformed_path;
use service::problem::Problem;
use strum::VariantArray as _;
use utoipa::openapi::path::{OperationBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{AllOfBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{ContentBuilder, HttpMethod, OpenApi, Ref, RefOr, Required, ResponseBuilder, Schema};
use utoipa::{IntoParams as _, ToSchema};

use crate::operation::{Method, Operation};
use crate::{answer, idempotency, incoming};

/// An operation and the schemas that it refers to.
pub(crate) struct Documented {
    pub(crate) operation: OperationBuilder,
    pub(crate) schemas: Vec<(String, RefOr<Schema>)>,
}

/// The document of these operations, each with its path.
pub(crate) fn of(operations: impl IntoIterator<Item = (Method, &'static str, Documented)>) -> OpenApi {
    let mut openapi = document("Bilsport licenses: commands", &description());
    for (method, path, Documented { operation, schemas }) in operations {
        let method = match method {
            Method::Post => HttpMethod::Post,
            Method::Patch => HttpMethod::Patch,
        };
        openapi.paths.add_path_operation(path, vec![method], operation);
        let components = openapi.components.get_or_insert_default();
        components.schemas.extend(schemas);
    }
    openapi
}

/// What the document says of a command.
pub(crate) fn operation<O: Operation>(who: Who) -> Documented {
    let mut schemas = vec![of_type::<O>(), of_type::<O::Answer>()];
    O::schemas(&mut schemas);
    O::Answer::schemas(&mut schemas);
    let path = O::Path::into_params(|| Some(ParameterIn::Path));
    let mut problems = problems::<O>(who);
    if !path.is_empty() {
        problems.extend([malformed_path(&path[0].name), Problem::not_found()]);
    }
    let mut operation = OperationBuilder::new()
        .tag(tag(who))
        .operation_id(Some(O::NAME))
        .summary(Some(O::SUMMARY))
        .security(needs_login())
        .parameters(Some(path))
        .request_body(Some(body::<O>()));
    if !O::KEY_IN_BODY {
        operation = operation.parameter_ref(Parameter::IdempotencyKey.reference());
    }
    if !O::CREATES {
        operation = operation.parameter_ref(Parameter::IfMatch.reference());
    }
    for status in [O::SUCCESS].iter().chain(O::ALSO) {
        operation = operation.response(status.as_str(), accepted::<O>());
    }
    for (status, response) in refusals(problems) {
        operation = operation.response(status, response);
    }
    Documented { operation, schemas }
}

fn tag(who: Who) -> &'static str {
    match who {
        Who::Public => "public",
        Who::Provider => "providers",
        Who::Capability | Who::Anyone | Who::Owner | Who::Theirs => "customers",
        Who::OrganizerOfClub => "organizers",
        Who::OwnerOrStaff | Who::Staff => "staff",
        Who::OwnerOrAdmin | Who::Admin => "administrators",
    }
}

fn of_type<T: ToSchema>() -> (String, RefOr<Schema>) {
    (T::name().into_owned(), T::schema())
}

fn body<O: Operation>() -> utoipa::openapi::request_body::RequestBody {
    let required = if O::BODY_MAY_BE_EMPTY {
        Required::False
    } else {
        Required::True
    };
    RequestBodyBuilder::new()
        .content("application/json", json(Ref::from_schema_name(O::name())))
        .required(Some(required))
        .build()
}

fn json(schema: impl Into<RefOr<Schema>>) -> utoipa::openapi::Content {
    ContentBuilder::new().schema(Some(schema)).build()
}

/// The answer with the position that the log adds to it.
fn accepted<O: Operation>() -> utoipa::openapi::Response {
    let position = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(0))
        .description(Some("The position of the command's last event in the log."));
    let with_position = AllOfBuilder::new()
        .item(Ref::from_schema_name(O::Answer::name()))
        .item(
            ObjectBuilder::new()
                .property("position", position)
                .required("position"),
        );
    let headers = [
        Header::EventPosition,
        Header::IdempotencyReplayed,
        Header::RequestId,
    ];
    headers
        .into_iter()
        .fold(
            ResponseBuilder::new()
                .description("The command is done.")
                .content("application/json", json(Schema::AllOf(with_position.build()))),
            |response, header| response.header_ref(header.name(), header.reference()),
        )
        .build()
}

fn problems<O: Operation>(who: Who) -> Vec<Problem> {
    let mut problems = of_every_request();
    problems.extend(of_login());
    problems.extend(of_request_bodies());
    problems.push(incoming::unknown_parameter());
    if O::KEY_IN_BODY {
        problems.extend([
            idempotency::invalid(),
            idempotency::mismatch(),
            idempotency::in_flight(),
        ]);
    } else {
        problems.extend(idempotency::problems());
    }
    if matches!(who, Who::Staff | Who::Admin | Who::OrganizerOfClub) {
        problems.push(Problem::forbidden());
    }
    if !O::CREATES {
        problems.extend([incoming::if_match_invalid(), answer::version_mismatch(3)]);
    }
    problems.extend(
        O::REFUSALS
            .iter()
            .map(|refusal| answer::refused(&example(refusal))),
    );
    problems.extend(O::problems());
    problems.extend(answer::problems());
    problems
}

/// A refusal with a field, if it has any.
fn example(refusal: &Refusal) -> Refusal {
    match refusal {
        Refusal::Invalid(_) => Refusal::Invalid(vec![Field {
            pointer: "/name".into(),
            rule: Rule::Required,
        }]),
        other => other.clone(),
    }
}

fn description() -> String {
    let rules = Rule::VARIANTS.iter().map(|rule| {
        format!(
            "\n| `{}` | {} | {} |",
            rule.code(),
            rule.message_nb(),
            rule.message_en()
        )
    });
    let rules: String = rules.collect();
    format!(
        "Commands of the license shop. Every command needs an `Idempotency-Key`; repeating it with the same key and body \
         is safe and gets the same answer.\n\nA refused command answers `application/problem+json` with a stable `code`. \
         Fields that break a rule are listed under `errors`, each with one of these codes.\n\n<details><summary>Codes of \
         fields</summary>\n\n| code | bokmål | English |\n|---|---|---|{rules}\n\n</details>"
    )
}

#[cfg(test)]
mod tests;
