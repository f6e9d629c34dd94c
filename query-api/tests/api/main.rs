//! The service against a real Postgres, over its router, a database per test, with the role it has in production.

#[cfg(test)]
mod access;
mod anywhere;
#[cfg(test)]
mod as_of;
#[cfg(test)]
mod batches;
#[cfg(test)]
mod bulkheads;
#[cfg(test)]
mod cache;
#[cfg(test)]
mod cache_outages;
#[cfg(test)]
mod cached;
#[cfg(test)]
mod caching;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod encodings;
#[cfg(test)]
mod exports;
#[cfg(test)]
mod filters;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod outline;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod parameters;
#[cfg(test)]
mod position;
#[cfg(test)]
mod prepared;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod replicas;
#[cfg(test)]
mod return_status;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod sales;
mod search;
#[cfg(test)]
mod stale;
#[cfg(test)]
mod status;
#[cfg(test)]
mod stream;
#[cfg(test)]
mod support;
