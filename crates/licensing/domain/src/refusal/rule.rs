//! The rules that a field of a command can break, each with a code and a sentence in both languages.

use strum::VariantArray;

/// A rule that a field of a command breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub enum Rule {
    /// Nothing was given.
    Required,
    /// With characters that no text has: control, private or unassigned ones.
    Text,
    /// Longer than allowed.
    TextTooLong,
    /// With characters that show nothing or turn the text around them.
    TextInvisible,
    /// Without a letter or a digit.
    TextEmpty,
    /// With marks that belong to no letter, or more of them than any language writes.
    TextMarks,
    /// With characters that no name has.
    NameCharacters,
    /// A name without a letter.
    NameLetter,
    /// A word of a name with letters of several alphabets.
    NameScripts,
    /// A name with letters of both writing directions.
    NameDirection,
    /// Not a phone number.
    Phone,
    /// Not an e-mail address.
    Email,
    /// An e-mail address in angle brackets, as mail programs copy it.
    EmailBrackets,
    /// Several e-mail addresses, or one with a separator behind it.
    EmailSeparator,
    /// An e-mail address longer than mail allows.
    EmailTooLong,
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
    /// A club that does not organize activities any more.
    ClubInactive,
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
    /// Not a registration number.
    Registration,
    /// Not the number of a vehicle license or chassis.
    VehicleNumber,
    /// A vehicle identification number with a letter that none has.
    Chassis,
    /// The same license twice in one order.
    Duplicate,
    /// No lines, or too many.
    LineCount,
    /// No items, or too many.
    ItemCount,
    /// Not a code: lower-case letters, digits and hyphens.
    Code,
    /// Not a price in øre that a license can have.
    Price,
    /// A price from a moment that has passed.
    ValidFromPast,
    /// A price from a moment that is too far ahead.
    ValidFromTooFar,
    /// A price of a type that has too many coming ones.
    TooManyPrices,
    /// Not an age in years.
    Age,
    /// Minimum above maximum.
    AgeRange,
    /// Not a number of licenses that a holder can be limited to.
    LifetimeCap,
    /// Not a rate of tax, or one of an exempt type.
    TaxRate,
    /// No such way to pay.
    PaymentProvider,
    /// An organizer without clubs.
    OrganizerClubs,
    /// Clubs of someone who is no organizer.
    ClubsWithoutOrganizer,
    /// More clubs than one organizer acts for.
    TooManyClubs,
    /// No such line in the order.
    RefundLine,
    /// The license's day has begun, or is too near for the policy.
    RefundTooLate,
    /// The holder was let in already.
    RefundCheckedIn,
    /// A suspended person.
    HolderSuspended,
    /// A suspended vehicle.
    VehicleSuspended,
    /// A correction without a holder and without a vehicle.
    NothingToCorrect,
    /// Neither a person nor a vehicle, or both.
    SuspensionSubject,
    /// A suspension that ended before today.
    UntilPast,
    /// A verdict that lets no holder in.
    Verdict,
    /// A clock that is further off than any clock.
    ClockOffset,
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
                "Teksten har tegn som ikke kan brukes.",
                "Has characters that cannot be used.",
            ),
            Self::TextTooLong => ("text_too_long", "Teksten er for lang.", "The text is too long."),
            Self::TextInvisible => (
                "text_invisible",
                "Teksten har usynlige tegn. Skriv den i stedet for å lime den inn.",
                "The text has invisible characters. Type it instead of pasting it.",
            ),
            Self::TextEmpty => (
                "text_empty",
                "Teksten må ha minst én bokstav eller ett tall.",
                "The text needs at least one letter or digit.",
            ),
            Self::TextMarks => (
                "text_marks",
                "Teksten har aksenter uten bokstav, eller for mange på én bokstav.",
                "The text has accents without a letter, or too many on one letter.",
            ),
            Self::NameCharacters => (
                "name_characters",
                "Et navn kan ikke ha symboler eller emojier.",
                "A name cannot have symbols or emojis.",
            ),
            Self::NameLetter => (
                "name_letter_required",
                "Navnet må ha minst én bokstav.",
                "The name needs at least one letter.",
            ),
            Self::NameScripts => (
                "name_mixed_scripts",
                "Et ord i navnet blander bokstaver fra ulike alfabeter.",
                "A word of the name mixes letters of different alphabets.",
            ),
            Self::NameDirection => (
                "name_mixed_directions",
                "Navnet blander skrift fra venstre og skrift fra høyre. Skriv det i ett alfabet.",
                "The name mixes writing from the left and from the right. Write it in one alphabet.",
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
            Self::EmailBrackets => (
                "email_brackets",
                "Skriv bare e-postadressen, uten navn og uten < og >.",
                "Give only the e-mail address, without a name and without < and >.",
            ),
            Self::EmailSeparator => (
                "email_separator",
                "Skriv én e-postadresse, uten komma eller semikolon.",
                "Give one e-mail address, without a comma or semicolon.",
            ),
            Self::EmailTooLong => (
                "email_too_long",
                "E-postadressen er for lang.",
                "The e-mail address is too long.",
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
            Self::ClubInactive => (
                "club_inactive",
                "Klubben arrangerer ikke lenger.",
                "The club does not organize activities any more.",
            ),
            Self::ActivityPast => ("activity_past", "Datoen er passert.", "The date has passed."),
            Self::ActivityTooFar => (
                "activity_too_far",
                "Siste dag kan være høyst 365 dager fram i tid.",
                "The last day can be at most 365 days ahead.",
            ),
            Self::ActivityDays => (
                "activity_days_invalid",
                "Lisenstypen gjelder ikke så mange dager.",
                "The license type does not span that many days.",
            ),
            Self::TooYoung => (
                "too_young",
                "For ung for lisenstypen denne dagen.",
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
            Self::Registration => (
                "registration_invalid",
                "Ikke et registreringsnummer: 2 til 12 bokstaver (latinske) og tall.",
                "Not a registration number: 2 to 12 (Latin) letters and digits.",
            ),
            Self::VehicleNumber => (
                "vehicle_number_invalid",
                "Nummeret kan bare ha latinske bokstaver, tall og skråstrek, høyst 32.",
                "The number can only have Latin letters, digits and slashes, at most 32.",
            ),
            Self::Chassis => (
                "chassis_invalid",
                "Et chassisnummer på 17 tegn har aldri bokstavene I, O eller Q. Er det 1 eller 0?",
                "A chassis number of 17 characters never has the letters I, O or Q. Is it 1 or 0?",
            ),
            Self::Duplicate => (
                "duplicate_line",
                "Samme lisens står to ganger i bestillingen.",
                "The same license is in the order twice.",
            ),
            Self::ItemCount => (
                "item_count_invalid",
                "En batch har 1 til 10 000 elementer.",
                "A batch has 1 to 10,000 items.",
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
            Self::ValidFromPast => (
                "valid_from_past",
                "Prisen kan ikke gjelde fra et tidspunkt som er passert.",
                "The price cannot hold from a moment that has passed.",
            ),
            Self::ValidFromTooFar => (
                "valid_from_too_far",
                "Prisen kan gjelde fra høyst to år fram i tid.",
                "The price can hold from at most two years ahead.",
            ),
            Self::TooManyPrices => (
                "prices_too_many",
                "Lisenstypen har allerede 50 kommende priser. Trekk en tilbake først.",
                "The license type has 50 coming prices already. Withdraw one first.",
            ),
            Self::Age => (
                "age_invalid",
                "Alderen må være et helt antall år, 0 til 120.",
                "The age must be a whole number of years, 0 to 120.",
            ),
            Self::PaymentProvider => (
                "payment_provider_unknown",
                "Betalingsmåten finnes ikke.",
                "No such payment provider.",
            ),
            Self::OrganizerClubs => (
                "organizer_clubs_required",
                "En arrangør må ha minst én klubb.",
                "An organizer needs at least one club.",
            ),
            Self::ClubsWithoutOrganizer => (
                "clubs_without_organizer",
                "Bare arrangører har klubber.",
                "Only organizers have clubs.",
            ),
            Self::TooManyClubs => (
                "clubs_too_many",
                "En arrangør kan ha høyst 50 klubber.",
                "An organizer can have at most 50 clubs.",
            ),
            Self::LifetimeCap => (
                "lifetime_cap_invalid",
                "Grensen må være 1 til 1000 lisenser.",
                "The cap must be 1 to 1000 licenses.",
            ),
            Self::TaxRate => (
                "tax_rate_invalid",
                "Avgiften må være 0 til 1000 promille, og 0 for en fritatt type.",
                "The tax must be 0 to 1000 per mille, and 0 for an exempt type.",
            ),
            Self::RefundLine => (
                "line_unknown",
                "Bestillingen har ingen slik linje.",
                "The order has no such line.",
            ),
            Self::RefundTooLate => (
                "refund_too_late",
                "Fristen for refusjon av lisensen er ute.",
                "It is too late to refund the license.",
            ),
            Self::RefundCheckedIn => (
                "refund_checked_in",
                "Lisensen er brukt ved innsjekking og refunderes ikke.",
                "The license was used at check-in and is not refunded.",
            ),
            Self::HolderSuspended => (
                "holder_suspended",
                "Vi kan ikke utstede lisens til denne personen nå. Ta kontakt med forbundet.",
                "No license can be issued to this person now. Contact the federation.",
            ),
            Self::VehicleSuspended => (
                "vehicle_suspended",
                "Vi kan ikke utstede lisens for dette kjøretøyet nå. Ta kontakt med forbundet.",
                "No license can be issued for this vehicle now. Contact the federation.",
            ),
            Self::NothingToCorrect => (
                "nothing_to_correct",
                "Oppgi innehaver eller kjøretøy som skal rettes.",
                "Give the holder or the vehicle to correct.",
            ),
            Self::SuspensionSubject => (
                "suspension_subject",
                "Oppgi enten en person eller et kjøretøy.",
                "Give either a person or a vehicle.",
            ),
            Self::UntilPast => ("until_past", "Siste dag er passert.", "The last day has passed."),
            Self::Verdict => (
                "verdict_not_admitted",
                "Med dette utfallet blir ingen sluppet inn.",
                "With this verdict a holder is not let in.",
            ),
            Self::ClockOffset => (
                "clock_offset_invalid",
                "Klokka kan være høyst ti år feil.",
                "The clock can be off by at most ten years.",
            ),
            Self::AgeRange => (
                "age_range_invalid",
                "Laveste alder er over høyeste alder.",
                "The lowest age is above the highest.",
            ),
        }
    }
}
