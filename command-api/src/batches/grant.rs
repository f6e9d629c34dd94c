//! A complimentary license: given by the rules of an order's line, relying on the suspensions that were seen.

use std::sync::Arc;

use chrono::NaiveDate;
use domain::{AskedLine, GrantLicense, License, LicenseCommand, RequestedHolder, RequestedVehicle};
use event_store::CommandError;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::item::{Item, not_an_item};
use super::items::{Desk, Done};
use crate::answer::{problem, unreadable};
use crate::command::{now, stored};
use crate::{catalogue, rule_seven, rule_six};

/// How often a license is tried again, when suspensions are imposed meanwhile.
const LOOKS: usize = 5;

impl Desk<'_> {
    pub(super) async fn grant(&self, item: &Item) -> Done {
        let asked: ComplimentaryLicense = item.whole()?;
        let reason = asked.reason.clone();
        let line = asked.line();
        let subjects = line.subjects(&self.shop.holder_key);
        let unreadable = |error| unreadable(&error);
        let now = now();
        let resolved = catalogue::resolve(self.command_handler, vec![line], now).await;
        let Some(line) = resolved.map_err(unreadable)?.pop() else {
            return Err(not_an_item());
        };
        let grant_id = self.id_of(item);
        let license_id = GrantLicense::license_id(grant_id);
        let mut looks = 0;
        loop {
            looks += 1;
            let seen = rule_six::look(self.command_handler, &subjects, now)
                .await
                .map_err(unreadable)?;
            let grant = GrantLicense {
                grant_id,
                given_by: self.user_id,
                line: line.clone(),
                reason: reason.clone(),
                suspended: seen.suspended,
                holder_key: Arc::clone(&self.shop.holder_key),
                now,
            };
            let guards = seen.guards;
            let given = self
                .command_handler
                .together(self.key_of(item), self.metadata.clone(), |unit| {
                    let (grant, guards) = (grant.clone(), guards.clone());
                    async move {
                        let mut license = unit.load::<License>(license_id).await?;
                        let command = LicenseCommand::Grant(Box::new(grant));
                        unit.handle(&mut license, command).await?;
                        for guard in guards {
                            unit.guard(guard);
                        }
                        Ok(stored(&Given { license_id }))
                    }
                })
                .await;
            return match given {
                Err(CommandError::ClaimTaken(taken)) if rule_six::outdated(&taken) && looks < LOOKS => {
                    continue;
                }
                Err(CommandError::ClaimTaken(taken)) => Err(rule_seven::correction_refused(&taken)),
                given => given.map_err(problem),
            };
        }
    }
}

/// A license to give without an order: the line of an order, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ComplimentaryLicense {
    license_type: String,
    club_id: Uuid,
    #[serde(deserialize_with = "domain::typed::date")]
    activity_date: NaiveDate,
    activity_days: Option<u8>,
    holder: RequestedHolder,
    vehicle: Option<RequestedVehicle>,
    reason: String,
}

impl ComplimentaryLicense {
    fn line(self) -> AskedLine {
        AskedLine {
            license_type: self.license_type,
            club_id: self.club_id,
            activity_date: self.activity_date,
            activity_days: self.activity_days,
            holder: self.holder,
            vehicle: self.vehicle,
        }
    }
}

#[derive(Serialize)]
struct Given {
    license_id: Uuid,
}
