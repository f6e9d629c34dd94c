//! Changing the master key: every wrapped key is wrapped again by the active one.

use std::collections::BTreeMap;

use tokio_postgres::types::ToSql;

use super::VaultError;
use super::keeper::Vault;
use super::keys::{batch_keys, bound, bound_with_id, key_row};
use crate::error::Error;
use crate::log::Log;

/// Rows wrapped again in one statement. One holds the keys of a whole batch of commands.
const ROWS: i64 = 50;
/// As above, of rows with one key each.
const NAMED_ROWS: i64 = 1_000;

/// How many wrapped keys each master key has.
pub type MasterKeyUse = BTreeMap<String, u64>;

impl Log {
    /// How many keys are wrapped by each master key. One without any may be taken out of the file.
    pub async fn master_key_use(&self) -> Result<MasterKeyUse, Error> {
        let rows = self.query(include_str!("../sql/count_keys.sql"), &[]).await?;
        let counts = rows.iter().map(|row| {
            let count: i64 = row.try_get(1)?;
            Ok((row.try_get(0)?, u64::try_from(count).unwrap_or(0)))
        });
        counts.collect()
    }

    /// Wraps every key again that is not wrapped by the active master key; reports how many are done. Stopped at any point,
    /// the next call continues.
    pub async fn wrap_again(&self, vault: &Vault, mut done: impl FnMut(u64)) -> Result<u64, Error> {
        let mut count = self.wrap_secrets_again(vault).await?;
        let mut after = -1;
        loop {
            match self.wrap_batches_again(vault, after).await? {
                Some((through, keys)) => {
                    after = through;
                    count += keys;
                    done(count);
                }
                None if after < 0 => break,
                // Once more from the start: a row that was changed meanwhile was left out.
                None => after = -1,
            }
        }
        loop {
            let keys = self.wrap_named_again(vault).await?;
            if keys == 0 {
                return Ok(count);
            }
            count += keys;
            done(count);
        }
    }

    /// The next keys behind a place in the log. `None` once there are none.
    async fn wrap_batches_again(&self, vault: &Vault, after: i64) -> Result<Option<(i64, u64)>, Error> {
        let keys = vault.current();
        let active: &str = keys.active();
        let rows = self
            .query(
                include_str!("../sql/read_old_keys.sql"),
                &[&active, &after, &ROWS],
            )
            .await?;
        let (mut through, mut count) = (None, 0);
        let (mut afters, mut ends, mut old, mut new) = (vec![], vec![], vec![], vec![]);
        for row in &rows {
            let batch = batch_keys(row)?;
            let rows = batch.people.into_iter().zip(batch.master_keys).zip(batch.wrapped);
            for ((person, master_key), wrapped) in rows {
                new.push(if wrapped.is_empty() {
                    Vec::new()
                } else {
                    count += u64::from(master_key != active);
                    let key = vault.unwrap(&master_key, &bound(person), &wrapped)?;
                    Vault::wrap(&keys, &bound(person), &key)?
                });
                old.push(wrapped);
            }
            afters.push(batch.after);
            ends.push(i32::try_from(new.len()).unwrap_or(i32::MAX));
            through = Some(batch.after);
        }
        let Some(through) = through else { return Ok(None) };
        // A row whose keys were changed since is left to the next look: one that was destroyed must not come back.
        let binds: [&(dyn ToSql + Sync); 5] = [&afters, &ends, &old, &new, &active];
        self.query(include_str!("../sql/wrap_again.sql"), &binds).await?;
        Ok(Some((through, count)))
    }

    /// The next keys of releases that sealed each value by itself. 0 once there are none.
    async fn wrap_named_again(&self, vault: &Vault) -> Result<u64, Error> {
        let keys = vault.current();
        let active: &str = keys.active();
        let rows = self
            .query(
                include_str!("../sql/read_old_named_keys.sql"),
                &[&active, &NAMED_ROWS],
            )
            .await?;
        let (mut aggregates, mut ids, mut old, mut new) = (vec![], vec![], vec![], vec![]);
        for row in &rows {
            let row = key_row(row)?;
            let bound = bound_with_id(&row);
            let key = vault.unwrap(&row.master_key, &bound, &row.wrapped)?;
            new.push(Vault::wrap(&keys, &bound, &key)?);
            old.push(row.wrapped);
            aggregates.push(row.aggregate_id);
            ids.push(row.id);
        }
        let binds: [&(dyn ToSql + Sync); 5] = [&aggregates, &ids, &old, &new, &active];
        self.query(include_str!("../sql/wrap_named_again.sql"), &binds)
            .await?;
        Ok(rows.len() as u64)
    }

    async fn wrap_secrets_again(&self, vault: &Vault) -> Result<u64, Error> {
        let keys = vault.current();
        let active: &str = keys.active();
        let rows = self
            .query(include_str!("../sql/read_old_secrets.sql"), &[&active])
            .await?;
        for row in &rows {
            let (name, master_key, old): (String, String, Vec<u8>) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let secret = vault.unwrap(&master_key, name.as_bytes(), &old)?;
            let new = Vault::wrap(&keys, name.as_bytes(), &secret)?;
            let binds: [&(dyn ToSql + Sync); 4] = [&name, &old, &new, &active];
            self.query(include_str!("../sql/wrap_secret_again.sql"), &binds)
                .await?;
        }
        Ok(rows.len() as u64)
    }
}

impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::NotOpened { .. } => Self::Broken(error.to_string()),
            other => Self::Vault(other),
        }
    }
}
