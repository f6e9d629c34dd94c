//! The OpenAPI of resources that some callers may see and others may not: for these there is nothing.

use service::problem::Problem;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::{HttpMethod, OpenApi, PathItem, RefOr, Required};

use super::{add_with, snake};
use crate::resource::Resource;
use crate::view;

/// Adds a list whose path names the value of its filter `named`, for callers that may see every row or none.
pub fn add_of_path(document: &mut OpenApi, resource: &'static Resource, path: &str, named: &str) {
    let of_path = [view::not_an_id(named), Problem::not_found()];
    add_with(document, resource, path, false, &of_path);
    let Some(operation) = get(document, path) else {
        return;
    };
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.name == named
        {
            parameter.parameter_in = ParameterIn::Path;
            parameter.required = Required::True;
            // What a path names is never empty.
            parameter.extensions = None;
        }
    }
}

/// Adds a list, for callers that may see every row or none.
pub fn add_list_for_some(document: &mut OpenApi, resource: &'static Resource, path: &str) {
    add_with(document, resource, path, false, &[Problem::not_found()]);
}

/// As [`super::add`], for a resource that some may see and others may not, with the caller's own row at `own`.
pub fn add_for_some(document: &mut OpenApi, resource: &'static Resource, path: &str, own: &str) {
    add_with(document, resource, path, true, &[Problem::not_found()]);
    let one = get(document, &format!("{path}/{{{}}}", resource.key)).cloned();
    let Some(mut one) = one else {
        return;
    };
    let in_path = |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Path);
    if let Some(parameters) = &mut one.parameters {
        parameters.retain(|parameter| !in_path(parameter));
    }
    one.operation_id = Some(format!("get_own_{}", snake(resource.schema)));
    one.summary = Some("The caller".into());
    one.description = Some("404 while nothing is known of the caller.".into());
    let item = PathItem::new(HttpMethod::Get, one);
    document.paths.paths.insert(own.to_owned(), item);
}

fn get<'a>(document: &'a mut OpenApi, path: &str) -> Option<&'a mut Operation> {
    document.paths.paths.get_mut(path)?.get.as_mut()
}
