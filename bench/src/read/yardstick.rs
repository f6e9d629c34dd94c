//! What is compared with: an axum handler that runs the statement of a page, prepared once on each connection, and writes its rows by
//! serde. No token, no parameters, no cursor, no entity tag.

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use chrono::{DateTime, NaiveDate, Utc};
use deadpool_postgres::Pool;
use query::{Bind, Conditions, PageQuery, Resource, page};
use read_model::{LICENSES, ORDERS};
use serde::ser::{Error as _, Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;
use tokio::net::TcpListener;
use tokio_postgres::Row;
use tokio_postgres::types::{Json, Type};
use uuid::Uuid;

use crate::server::pool;

/// As many connections as query-api has.
const CONNECTIONS: usize = 8;
/// Columns before those of the resource.
const OWN_COLUMNS: usize = 6;

/// Starts it; its address.
pub(super) async fn start(url: &str) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let pool = pool(url, CONNECTIONS)?;
    let router = Router::new()
        .route("/orders", get(|State(pool): State<Pool>| list(pool, &ORDERS)))
        // What 50 clubs weigh.
        .route(
            "/body",
            get(|| async { ([(header::CONTENT_TYPE, "application/json")], vec![b'x'; 9_000]) }),
        )
        .route("/licenses", get(|State(pool): State<Pool>| list(pool, &LICENSES)))
        .with_state(pool);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn list(pool: Pool, resource: &'static Resource) -> impl IntoResponse {
    match read(&pool, resource).await {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => (axum::http::StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn read(pool: &Pool, resource: &'static Resource) -> anyhow::Result<Vec<u8>> {
    let query = PageQuery::first(resource, Conditions::default(), 50);
    let (sql, binds) = page::statement(&query);
    let values_and_types = binds.iter().map(Bind::typed);
    let (values, types): (Vec<_>, Vec<_>) = values_and_types.unzip();
    let client = pool.get().await?;
    let statement = client.prepare_typed_cached(&sql, &types).await?;
    let rows = client.query(&statement, &values).await?;
    let names: Vec<&str> = query.columns.iter().map(|column| column.name).collect();
    let items: Vec<Item<'_>> = rows
        .iter()
        .take(50)
        .map(|row| Item { row, names: &names })
        .collect();
    serde_json::to_vec(&items).context("rows without JSON")
}

struct Item<'a> {
    row: &'a Row,
    names: &'a [&'a str],
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.names.len()))?;
        for (index, name) in self.names.iter().enumerate() {
            let place = OWN_COLUMNS + index;
            let row = self.row;
            macro_rules! cell {
                ($type:ty) => {
                    map.serialize_entry(
                        name,
                        &row.try_get::<_, Option<$type>>(place)
                            .map_err(S::Error::custom)?,
                    )?
                };
            }
            match *row.columns()[place].type_() {
                Type::TEXT => cell!(&str),
                Type::UUID => cell!(Uuid),
                Type::INT8 => cell!(i64),
                Type::INT4 => cell!(i32),
                Type::BOOL => cell!(bool),
                Type::DATE => cell!(NaiveDate),
                Type::TIMESTAMPTZ => cell!(DateTime<Utc>),
                Type::TEXT_ARRAY => cell!(Vec<&str>),
                Type::UUID_ARRAY => cell!(Vec<Uuid>),
                _ => {
                    let json = row
                        .try_get::<_, Option<Json<&RawValue>>>(place)
                        .map_err(S::Error::custom)?;
                    map.serialize_entry(name, &json.map(|json| json.0))?;
                }
            }
        }
        map.end()
    }
}
