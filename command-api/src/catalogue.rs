//! What an order is checked and priced against: read from the log, never from the read side.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use domain::{AskedLine, Club, LicenseType, Offer, OrderClub, RequestedLine, license_type_id};
use event_store::{CommandHandler, Error};
use futures_util::future::try_join_all;
use uuid::Uuid;

/// The lines with what the catalogue offers at `now`. Each type and club is loaded once, all at the same time.
pub(crate) async fn resolve(
    command_handler: &CommandHandler,
    lines: Vec<AskedLine>,
    now: DateTime<Utc>,
) -> Result<Vec<RequestedLine>, Error> {
    let codes: BTreeMap<&str, Uuid> = lines
        .iter()
        .map(|line| (line.license_type.as_str(), license_type_id(&line.license_type)))
        .collect();
    let clubs: BTreeSet<Uuid> = lines.iter().map(|line| line.club_id).collect();
    let (offers, clubs) = tokio::try_join!(
        try_join_all(codes.into_iter().map(async |(code, id)| {
            let loaded = command_handler.load::<LicenseType>(id).await?;
            Ok::<_, Error>((code.to_owned(), loaded.aggregate.offer_at(now)))
        })),
        try_join_all(clubs.into_iter().map(async |id| {
            let loaded = command_handler.load::<Club>(id).await?;
            let club = loaded.aggregate.name().map(|name| OrderClub {
                club_id: id,
                name: name.to_owned(),
                status: loaded.aggregate.status(),
            });
            Ok::<_, Error>((id, club))
        })),
    )?;
    let offers: BTreeMap<String, Option<Offer>> = offers.into_iter().collect();
    let clubs: BTreeMap<Uuid, Option<OrderClub>> = clubs.into_iter().collect();
    Ok(lines
        .into_iter()
        .map(|asked| RequestedLine {
            offer: offers.get(&asked.license_type).cloned().flatten(),
            club: clubs.get(&asked.club_id).cloned().flatten(),
            asked,
        })
        .collect())
}
