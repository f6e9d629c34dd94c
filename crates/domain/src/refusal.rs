//! Why a command is refused: a stable code for machines, a sentence for people in both languages.

use std::fmt;

/// A rule that a field of a command breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Nothing was given.
    Required,
    /// Longer than allowed, or with characters that no such text has.
    Text,
    /// Not a phone number.
    Phone,
    /// Not an e-mail address.
    Email,
    /// Neither phone nor e-mail.
    Contact,
    /// A national identity number, which is never stored.
    NationalIdentityNumber,
    /// A birth date in the future or before anyone alive.
    BirthDate,
    /// No such license type, or it can't be bought.
    LicenseType,
    /// No such club.
    Club,
    /// Before today.
    ActivityPast,
    /// More than 365 days ahead.
    ActivityTooFar,
    /// More days than the type allows.
    ActivityDays,
    /// Younger than the type allows.
    TooYoung,
    /// Older than the type allows.
    TooOld,
    /// Under 18 and no guardian who consents.
    Guardian,
    /// A driver without a vehicle.
    Vehicle,
    /// The same license twice in one order.
    Duplicate,
    /// No lines, or too many.
    LineCount,
    /// Not a code: lower-case letters, digits and hyphens.
    Code,
    /// Not a price in øre that a license can have.
    Price,
    /// Minimum above maximum.
    AgeRange,
    /// No such way to pay.
    PaymentProvider,
}

impl Rule {
    /// Stable, for machines.
    pub const fn code(self) -> &'static str {
        self.texts().0
    }

    /// For people, in Norwegian.
    pub const fn message_nb(self) -> &'static str {
        self.texts().1
    }

    /// For people, in English.
    pub const fn message_en(self) -> &'static str {
        self.texts().2
    }

    #[expect(clippy::too_many_lines, reason = "a table")]
    const fn texts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Required => ("required", "Må fylles ut.", "Is required."),
            Self::Text => (
                "text_invalid",
                "Teksten er for lang eller har ugyldige tegn.",
                "Too long, or has characters that are not allowed.",
            ),
            Self::Phone => (
                "phone_invalid",
                "Ikke et gyldig telefonnummer.",
                "Not a valid phone number.",
            ),
            Self::Email => (
                "email_invalid",
                "Ikke en gyldig e-postadresse.",
                "Not a valid e-mail address.",
            ),
            Self::Contact => (
                "contact_required",
                "Oppgi telefon eller e-post.",
                "Give a phone number or an e-mail address.",
            ),
            Self::NationalIdentityNumber => (
                "national_identity_number",
                "Fødselsnummer skal ikke oppgis.",
                "Do not give a national identity number.",
            ),
            Self::BirthDate => (
                "birth_date_invalid",
                "Fødselsdatoen kan ikke stemme.",
                "The birth date cannot be right.",
            ),
            Self::LicenseType => (
                "license_type_unknown",
                "Lisenstypen finnes ikke eller selges ikke.",
                "No such license type, or it is not for sale.",
            ),
            Self::Club => ("club_unknown", "Klubben finnes ikke.", "No such club."),
            Self::ActivityPast => ("activity_past", "Datoen er passert.", "The date has passed."),
            Self::ActivityTooFar => (
                "activity_too_far",
                "Datoen kan være høyst 365 dager fram i tid.",
                "The date can be at most 365 days ahead.",
            ),
            Self::ActivityDays => (
                "activity_days_invalid",
                "Lisenstypen gjelder ikke så mange dager.",
                "The license type does not span that many days.",
            ),
            Self::TooYoung => (
                "too_young",
                "Føreren er for ung for lisenstypen denne dagen.",
                "Too young for this license type on that day.",
            ),
            Self::TooOld => (
                "too_old",
                "For gammel for lisenstypen denne dagen.",
                "Too old for this license type on that day.",
            ),
            Self::Guardian => (
                "guardian_required",
                "Under 18 år kreves en foresatt som samtykker.",
                "Under 18, a guardian who consents is required.",
            ),
            Self::Vehicle => (
                "vehicle_required",
                "En fører må oppgi kjøretøy: registreringsnummer, vognlisens eller chassisnummer.",
                "A driver needs a vehicle: registration, vehicle license or chassis number.",
            ),
            Self::Duplicate => (
                "duplicate_line",
                "Samme lisens står to ganger i bestillingen.",
                "The same license is in the order twice.",
            ),
            Self::LineCount => (
                "line_count_invalid",
                "En bestilling har 1 til 100 linjer.",
                "An order has 1 to 100 lines.",
            ),
            Self::Code => (
                "code_invalid",
                "Koden kan bare ha små bokstaver a–z, tall og bindestrek.",
                "A code has only lower-case a–z, digits and hyphens.",
            ),
            Self::Price => (
                "price_invalid",
                "Prisen må være et beløp i øre over 0 og høyst 100 000 kr.",
                "The price must be an amount in øre above 0 and at most NOK 100,000.",
            ),
            Self::PaymentProvider => (
                "payment_provider_unknown",
                "Betalingsmåten finnes ikke.",
                "No such payment provider.",
            ),
            Self::AgeRange => (
                "age_range_invalid",
                "Laveste alder er over høyeste alder.",
                "The lowest age is above the highest.",
            ),
        }
    }
}

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
    /// The payment is not this order's.
    PaymentMismatch,
    /// The order has not run out of time yet.
    NotExpired,
    /// There is no money left that could be collected.
    NothingToCollect,
}

impl Refusal {
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
            Self::NothingToCollect => (
                "nothing_to_collect",
                "Det er ingenting igjen å trekke på betalingen.",
                "There is nothing left of the payment to collect.",
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
