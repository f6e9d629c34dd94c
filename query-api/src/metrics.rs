//! Describes the metrics of this process. Their names are those of `query` and `service`.

use read_model::RESOURCES;

/// Describes them to the recorder.
pub fn describe() {
    query::metrics::describe(&RESOURCES);
    service::metrics::begin_requests(crate::router::ROUTES);
    service::metrics::begin_requests(service::docs::ROUTES);
}
