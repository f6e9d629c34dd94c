//! Why a command is refused: a stable code for machines, a sentence for people in both languages.

mod rule;

use std::fmt;

pub use self::rule::Rule;

/// A field and the rule that it breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// JSON pointer into the command, for example `/lines/0/holder/name`.
    pub pointer: String,
    /// The rule.
    pub rule: Rule,
}

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// What was asked breaks rules: all of them that were found.
    Invalid(Vec<Field>),
    /// It never happened: there is no such order, type, club or license.
    Unknown,
    /// It exists already.
    Exists,
    /// The order is not in a state that allows it.
    OrderState,
    /// The order is paid, so it can't be cancelled.
    OrderPaid,
    /// The payment is not this order's.
    PaymentMismatch,
    /// The order has not run out of time yet.
    NotExpired,
    /// The price is in force already: orders may have been placed at it.
    PriceInForce,
    /// There is no money left that could be collected.
    NothingToCollect,
    /// Administrators can't take the role from themselves.
    OwnAdminRole,
    /// The license type is not sold any more.
    Retired,
    /// The order's total is not the one that the customer saw.
    PriceChanged {
        /// The total now, in øre.
        total_ore: i64,
    },
    /// No version of the terms is in force.
    TermsMissing,
    /// No version of the terms has this name, or it is not in force yet.
    TermsUnknown {
        /// The version in force.
        current: String,
    },
    /// Another version of the terms has replaced this one.
    TermsOutdated {
        /// The version in force.
        current: String,
    },
    /// The license is not in a state that allows it.
    LicenseState,
    /// Personal data of an order that is under way is needed.
    ErasureOrderOpen,
    /// Personal data of a license that is valid is needed.
    ErasureLicenseValid,
    /// More aggregates hold data of the person than one erasure takes.
    ErasureTooLarge,
}

impl Refusal {
    /// One field breaks a rule.
    pub fn field(pointer: impl Into<String>, rule: Rule) -> Self {
        let pointer = pointer.into();
        Self::Invalid(vec![Field { pointer, rule }])
    }

    /// Stable, for machines.
    pub const fn code(&self) -> &'static str {
        self.texts().0
    }

    /// For people, in Norwegian.
    pub const fn message_nb(&self) -> &'static str {
        self.texts().1
    }

    /// For people, in English.
    pub const fn message_en(&self) -> &'static str {
        self.texts().2
    }

    #[expect(clippy::too_many_lines, reason = "a table")]
    const fn texts(&self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Invalid(_) => (
                "validation_failed",
                "Noen felter må rettes.",
                "Some fields need to be corrected.",
            ),
            Self::Unknown => ("not_found", "Finnes ikke.", "Not found."),
            Self::Exists => ("already_exists", "Finnes allerede.", "Already exists."),
            Self::OrderState => (
                "order_state",
                "Bestillingen er ikke i en tilstand som tillater dette.",
                "The order is not in a state that allows this.",
            ),
            Self::OrderPaid => (
                "order_paid",
                "Bestillingen er betalt og kan ikke avbestilles. Ta kontakt for refusjon.",
                "The order is paid and can't be cancelled. Ask for a refund.",
            ),
            Self::PaymentMismatch => (
                "payment_mismatch",
                "Betalingen hører ikke til bestillingen.",
                "The payment is not this order's.",
            ),
            Self::NotExpired => (
                "not_expired",
                "Bestillingen har ikke utløpt.",
                "The order has not expired.",
            ),
            Self::PriceInForce => (
                "price_in_force",
                "Prisen gjelder allerede. Sett en ny pris i stedet.",
                "The price is in force already. Set another price instead.",
            ),
            Self::ErasureOrderOpen => (
                "erasure_order_open",
                "Personen har en bestilling som ikke er avsluttet. Avbestill eller refunder den først.",
                "The person has an order that is not finished. Cancel or refund it first.",
            ),
            Self::ErasureLicenseValid => (
                "erasure_license_valid",
                "Personen har en lisens som fortsatt gjelder. Trekk den tilbake først, eller vent til dagen er over.",
                "The person has a license that is still valid. Revoke it first, or wait until its day is over.",
            ),
            Self::ErasureTooLarge => (
                "erasure_too_large",
                "Personen har for mange bestillinger og lisenser for én sletting. Kontakt driften.",
                "The person has too many orders and licenses for one erasure. Contact operations.",
            ),
            Self::LicenseState => (
                "license_state",
                "Lisensen er ikke i en tilstand som tillater dette.",
                "The license is not in a state that allows this.",
            ),
            Self::NothingToCollect => (
                "nothing_to_collect",
                "Det er ingenting igjen å trekke på betalingen.",
                "There is nothing left of the payment to collect.",
            ),
            Self::OwnAdminRole => (
                "own_admin_role",
                "Du kan ikke ta administratorrollen fra deg selv. En annen administrator må gjøre det.",
                "You can't take the role of administrator from yourself. Another administrator has to do that.",
            ),
            Self::Retired => (
                "license_type_retired",
                "Lisenstypen selges ikke lenger.",
                "The license type is not sold any more.",
            ),
            Self::PriceChanged { .. } => (
                "price_changed",
                "Prisen er endret. Se over den nye prisen før du betaler.",
                "The price has changed. Look at the new price before you pay.",
            ),
            Self::TermsMissing => (
                "terms_missing",
                "Salget er ikke åpnet: forbundet har ikke publisert vilkår.",
                "Sales are not open: the federation has not published terms.",
            ),
            Self::TermsUnknown { .. } => (
                "terms_unknown",
                "Denne versjonen av vilkårene finnes ikke, eller gjelder ikke ennå.",
                "There is no such version of the terms, or it is not in force yet.",
            ),
            Self::TermsOutdated { .. } => (
                "terms_outdated",
                "Vilkårene er endret. Les og godta den nye versjonen.",
                "The terms have changed. Read and accept the new version.",
            ),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())?;
        if let Self::Invalid(fields) = self {
            for Field { pointer, rule } in fields {
                write!(f, " {pointer}:{}", rule.code())?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}
