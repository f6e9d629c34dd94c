//! Charges each request: in Redis, or here while Redis is away.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::answer::{State, Verdict};
use super::class::Class;
use super::limit::Limit;
use super::local::Local;
use super::pace::Pace;
use super::shared::Shared;
use super::{LimitOptions, Limits};
use crate::metrics;
use crate::redis::Redis;

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Someone without a login, or with one that is refused.
    Anonymous(IpAddr),
    /// A person whose login is verified.
    Known {
        /// By role.
        class: Class,
        /// The person.
        user_id: Uuid,
        /// Where the request comes from.
        address: IpAddr,
    },
    /// A payment provider, or who claims to be one.
    Provider(IpAddr),
}

/// Charges requests to their readers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Limiter(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    program: &'static str,
    key: hmac::Key,
    /// At the full limits, for all instances.
    shared: Option<Shared>,
    paces: [Option<Pace>; Class::ALL.len()],
    /// At this instance's share of the limits.
    alone: [Option<Local>; Class::ALL.len()],
    /// Addresses before the login is known, at the full limit.
    arrivals: Option<Local>,
}

/// A limit that a request is charged to.
struct Charge {
    class: Class,
    reader: u128,
    pace: Pace,
}

impl Limiter {
    /// Without any limit.
    pub const OFF: Self = Self(None);

    /// The limits of a program. `key` makes pseudonyms, the same at all instances.
    pub(super) fn new(
        program: &'static str,
        options: &LimitOptions,
        redis: Option<Redis>,
        key: hmac::Key,
    ) -> Self {
        let instances = options.rate_limit_instances;
        tracing::info!(
            limits = %options.rate_limits,
            instances,
            shared = redis.is_some(),
            "rate limits"
        );
        if options.rate_limits == Limits::OFF {
            return Self::OFF;
        }
        metrics::begin_limits(Class::ALL.map(Class::name));
        let paces = Class::ALL.map(|class| options.rate_limits.of(class).map(Limit::pace));
        let inner = Inner {
            program,
            key,
            shared: redis.map(Shared::new),
            alone: paces.map(|pace| pace.map(|pace| Local::new(pace.share(instances)))),
            arrivals: paces[Class::Address as usize].map(Local::new),
            paces,
        };
        Self(Some(Arc::new(inner)))
    }

    /// Whether an address may go on to its login, which costs more than this. It counts in this instance alone; the
    /// [check](Self::check) counts for all.
    pub fn arrives(&self, address: IpAddr) -> Result<(), Verdict> {
        let Some((inner, arrivals)) = self
            .0
            .as_ref()
            .and_then(|inner| Some((inner, inner.arrivals.as_ref()?)))
        else {
            return Ok(());
        };
        let (admitted, debt_us) = arrivals.charge(inner.address(address));
        if admitted {
            return Ok(());
        }
        count(Class::Address, "limited", "local");
        Err(Verdict {
            refused: true,
            states: vec![State {
                class: Class::Address,
                pace: arrivals.pace(),
                debt_us,
            }],
        })
    }

    /// Charges a request to its address and its reader, if both limits allow it.
    pub async fn check(&self, reader: &Reader) -> Verdict {
        let Some(inner) = &self.0 else {
            return Verdict::default();
        };
        let begun = Instant::now();
        let charges = inner.charges(reader);
        let Some(last) = charges.last().map(|charge| charge.class) else {
            return Verdict::default();
        };
        let (verdict, source) = match inner.shared(&charges).await {
            Some(verdict) => (verdict, "redis"),
            None => (inner.alone(&charges), "local"),
        };
        ::metrics::histogram!(metrics::RATE_LIMIT_SECONDS, "source" => source)
            .record(begun.elapsed().as_secs_f64());
        match verdict.longest_wait() {
            Some((class, _)) => count(class, "limited", source),
            None => count(last, "admitted", source),
        }
        verdict
    }
}

fn count(class: Class, outcome: &'static str, source: &'static str) {
    let labels = [("class", class.name()), ("outcome", outcome), ("source", source)];
    ::metrics::counter!(metrics::RATE_LIMIT_CHECKS, &labels).increment(1);
}

impl Inner {
    fn charges(&self, reader: &Reader) -> Vec<Charge> {
        let readers = match reader {
            Reader::Provider(address) => vec![(Class::Webhook, self.address(*address))],
            Reader::Anonymous(address) => {
                let address = self.address(*address);
                vec![(Class::Address, address), (Class::Public, address)]
            }
            Reader::Known {
                class,
                user_id,
                address,
            } => vec![
                (Class::Address, self.address(*address)),
                (*class, self.pseudonym(b"user", user_id.as_bytes())),
            ],
        };
        let limited = readers.into_iter().filter_map(|(class, reader)| {
            let pace = self.paces[class as usize]?;
            Some(Charge { class, reader, pace })
        });
        limited.collect()
    }

    /// One subscriber has at least a /64 of IPv6.
    fn address(&self, address: IpAddr) -> u128 {
        match address.to_canonical() {
            IpAddr::V4(address) => self.pseudonym(b"ipv4", &address.octets()),
            IpAddr::V6(address) => self.pseudonym(b"ipv6", &address.octets()[..8]),
        }
    }

    fn pseudonym(&self, kind: &[u8], of: &[u8]) -> u128 {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(kind);
        context.update(of);
        let mac = context.sign();
        let half = mac.as_ref().first_chunk().copied().unwrap_or_default();
        u128::from_be_bytes(half)
    }

    async fn shared(&self, charges: &[Charge]) -> Option<Verdict> {
        let shared = self.shared.as_ref()?;
        let keys: Vec<(String, Pace)> = charges
            .iter()
            .map(|charge| (self.key_of(charge), charge.pace))
            .collect();
        let (admitted, debts) = shared.charge(&keys).await?;
        let states = charges.iter().zip(debts).map(|(charge, debt_us)| State {
            class: charge.class,
            pace: charge.pace,
            debt_us,
        });
        Some(Verdict {
            refused: !admitted,
            states: states.collect(),
        })
    }

    fn key_of(&self, charge: &Charge) -> String {
        let reader = URL_SAFE_NO_PAD.encode(charge.reader.to_be_bytes());
        format!("bilsport:limit:{}:{}:{reader}", self.program, charge.class.name())
    }

    /// The first limit that refuses ends it: what an earlier one was charged stays, which a shared check avoids.
    fn alone(&self, charges: &[Charge]) -> Verdict {
        let mut verdict = Verdict::default();
        for charge in charges {
            let Some(local) = &self.alone[charge.class as usize] else {
                continue;
            };
            let (admitted, debt_us) = local.charge(charge.reader);
            verdict.states.push(State {
                class: charge.class,
                pace: local.pace(),
                debt_us,
            });
            if !admitted {
                verdict.refused = true;
                break;
            }
        }
        verdict
    }
}
