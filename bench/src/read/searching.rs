//! What a search costs in the database: for names, addresses, numbers and vehicles of the licenses that are there.

use std::sync::Arc;

use anyhow::ensure;
use query::{PageQuery, Parameters, Spread, page};
use read_model::LICENSES;

use crate::append::Effort;
use crate::contender::Contender;
use crate::measure::closed_loop;
use crate::ours::US;
use crate::server::connect;

pub(super) const MIXED: &str = "50 licenses by a word of theirs, in the database";

/// By one connection, as a page is read, planning included.
pub(super) async fn contender(url: &str, effort: &Effort) -> anyhow::Result<Contender> {
    let client = Arc::new(connect(url).await?);
    let sample = client
        .query(
            "select array_remove(array[holder_name, holder_email, holder_phone, order_number, vehicle ->> 'registration'], null)
             from licenses tablesample bernoulli (1) repeatable (1) where holder_erased_at is null limit 200",
            &[],
        )
        .await?;
    let words: Arc<Vec<String>> = Arc::new(
        sample
            .iter()
            .flat_map(|row| row.get::<_, Vec<String>>(0))
            .collect(),
    );
    ensure!(!words.is_empty(), "no license to search for");
    let (warm_up, length) = (effort.warm_up, effort.length);
    Ok(Contender::new(US, MIXED, move || {
        let (client, words) = (Arc::clone(&client), Arc::clone(&words));
        closed_loop(1, warm_up, length, move |number| {
            let (client, words) = (Arc::clone(&client), Arc::clone(&words));
            async move {
                let at = usize::try_from(number)? % words.len();
                let word = words[at].replace('+', "%2B").replace(' ', "%20");
                let selection = Parameters::of(&format!("q={word}")).select(&LICENSES);
                let selection = selection.map_err(|problem| anyhow::anyhow!("{word}: {problem}"))?;
                let (sort, direction) = (&LICENSES.sorts[0], LICENSES.default_direction);
                let query = PageQuery {
                    spread: Spread::of(&selection, sort, direction),
                    ..PageQuery::first(&LICENSES, selection.within(query::Conditions::default()), 50)
                };
                let page = page::read(&*client, query).await?;
                ensure!(!page.rows.is_empty(), "{word} is found by none");
                Ok(())
            }
        })
    }))
}
