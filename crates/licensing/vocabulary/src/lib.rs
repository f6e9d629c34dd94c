//! The closed lists of words of the shop, each declared once. In events, rows, filters and answers a status, a role or a
//! category is one of these enums, with the same text everywhere.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

/// A closed list of words.
pub trait Word: VariantArray + Into<&'static str> + Copy {
    /// The text in events, rows, parameters and answers.
    fn as_str(self) -> &'static str {
        self.into()
    }

    /// The texts of the whole list, in its order.
    fn texts() -> Vec<&'static str> {
        Self::VARIANTS.iter().map(|word| word.as_str()).collect()
    }
}

impl<T: VariantArray + Into<&'static str> + Copy> Word for T {}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)+ })+) => {
        $(
            $(#[$doc])*
            #[derive(
                Clone, Copy, Debug, PartialEq, Eq, Hash, JsonSchema, Serialize, Deserialize, Display, EnumString,
                IntoStaticStr, VariantArray, ToSchema,
            )]
            #[serde(rename_all = "snake_case")]
            #[strum(serialize_all = "snake_case")]
            pub enum $name {
                $($(#[$variant_doc])* $variant,)+
            }
        )+
    };
}

words! {
    /// What the items of a batch are.
    BatchKind {
        /// Prices of license types.
        SetPrice,
        /// Clubs to register, or to rename, open or close.
        UpsertClub,
        /// Licenses that end.
        RevokeLicense,
        /// Holders and vehicles of licenses, as they are right.
        CorrectLicense,
        /// Suspensions of people and vehicles.
        Suspend,
        /// Scans at the gate.
        CheckIn,
        /// Licenses without an order and without a payment.
        ComplimentaryLicense,
    }

    /// Where a batch is.
    BatchStatus {
        /// Its items are being done.
        Running,
        /// Each item is done or has failed.
        Done,
    }

    /// What became of an item of a batch.
    ItemOutcome {
        /// It is done.
        Succeeded,
        /// It was refused: nothing of it is done.
        Failed,
    }

    /// Why personal data is erased (GDPR article 17).
    ErasureGround {
        /// The person asks for it.
        Requested,
        /// It is not needed any more.
        NoLongerNeeded,
        /// The person objects to its use.
        Objection,
        /// It should not have been kept.
        Unlawful,
    }

    /// How a sales report groups.
    SalesGrouping {
        /// By day in Norway.
        Day,
        /// By ISO week.
        Week,
        /// By month.
        Month,
        /// By club.
        Club,
        /// By license type.
        LicenseType,
        /// By category of license types.
        Category,
        /// By payment provider.
        Provider,
    }

    /// What kind of activity a license is for.
    Category {
        /// Competition (konkurranse).
        Competition,
        /// Training (trening).
        Training,
        /// Track day (banedag).
        TrackDay,
        /// Passenger (passasjer).
        Passenger,
        /// Test.
        Test,
    }

    /// What the holder does.
    Role {
        /// Driver (fører): needs a vehicle.
        Driver,
        /// Co-driver (kartleser).
        Codriver,
        /// Companion (ledsager).
        Companion,
        /// Passenger (passasjer).
        Passenger,
    }

    /// Where an order is in its life cycle.
    OrderStatus {
        /// Placed; the provider has not been asked yet.
        Placed,
        /// The customer can pay.
        PaymentPending,
        /// Paid; its licenses are being issued.
        Paid,
        /// Every line has its license.
        Fulfilled,
        /// Every line has its license, and the money can't be collected: staff must decide.
        CaptureFailed,
        /// Will not be paid.
        Cancelled,
        /// Was not paid in time.
        Expired,
        /// The money has to go back.
        RefundPending,
        /// The money went back.
        Refunded,
    }

    /// How far the money is on its way back.
    RefundState {
        /// It has to go back.
        Pending,
        /// The provider does not give it back: staff must act.
        Failed,
        /// It went back.
        Refunded,
    }

    /// Where a license is in its life cycle.
    LicenseStatus {
        /// Valid on its days.
        Issued,
        /// The holder was let in.
        CheckedIn,
        /// Not valid any more.
        Revoked,
        /// Not valid for now.
        Suspended,
    }

    /// What a gate showed for a scanned license.
    Verdict {
        /// Valid (gyldig).
        Valid,
        /// Valid, and bought after the gate's last list (gyldig, kjøpt etter siste liste).
        ValidAfterList,
        /// For another day (feil dag).
        WrongDay,
        /// For another club (feil klubb).
        WrongClub,
        /// Let in before (allerede inne).
        AlreadyIn,
        /// Revoked (tilbakekalt).
        Revoked,
        /// The gate's lists or clock were too old to tell (kan ikke avgjøres).
        Undecided,
        /// Not a license (ugyldig).
        Invalid,
    }

    /// What became of a scan at the gate.
    ScanOutcome {
        /// It is the license's check-in.
        First,
        /// The license had its check-in before.
        Duplicate,
        /// It is the license's check-in, after the license was revoked.
        AfterRevocation,
        /// The log has no such license.
        UnknownLicense,
    }

    /// What a license was worth at the moment of a scan.
    Standing {
        /// It was valid.
        Valid,
        /// It was valid, and was revoked later.
        BeforeRevocation,
        /// It was revoked.
        AfterRevocation,
        /// It was valid, and was suspended later.
        BeforeSuspension,
        /// It was suspended.
        WhileSuspended,
    }

    /// Whether a suspension was ended by staff. Expiry by date is not a status.
    SuspensionStatus {
        /// In force until its last day, if it has one.
        Active,
        /// Ended by staff.
        Lifted,
    }

    /// What is suspended.
    SuspensionKind {
        /// A person.
        Person,
        /// A vehicle.
        Vehicle,
    }

    /// Who collects the money of an order.
    PaymentProvider {
        /// Vipps MobilePay.
        Vipps,
        /// Nexi Checkout.
        Nexi,
    }

    /// What a document of the series of receipts is.
    ReceiptKind {
        /// Money was taken.
        Receipt,
        /// Money went back: corrects a receipt.
        CreditNote,
    }

    /// What a letter to a customer brings.
    LetterKind {
        /// The licenses of an order.
        License,
        /// A receipt or a credit note.
        Receipt,
    }

    /// What became of a letter.
    LetterStatus {
        /// The mail server took it.
        Sent,
        /// The mail server refused the address or the letter.
        Refused,
        /// It could not be handed to a mail server.
        Undeliverable,
    }

    /// Why a letter could not be handed to a mail server.
    LetterFailure {
        /// No e-mail address is known.
        NoAddress,
        /// The mail server has no way to write the address.
        BadAddress,
        /// The mail server took no letter for too long.
        GaveUp,
    }

    /// What a user may do.
    #[derive(PartialOrd, Ord)]
    UserRole {
        /// Buys licenses.
        Customer,
        /// Runs activities for named clubs.
        Organizer,
        /// Works at the federation.
        Staff,
        /// Staff who also gives roles and erases people.
        Admin,
    }

    /// A language of the shop.
    Language {
        /// Norwegian (bokmål).
        Nb,
        /// English.
        En,
    }

    /// Whether a club organizes activities.
    ClubStatus {
        /// It does.
        Active,
        /// It does not any more.
        Inactive,
    }

    /// Whether a version of the terms is in force.
    TermsStatus {
        /// Orders accept it.
        Current,
        /// It comes into force later.
        Upcoming,
        /// Another version has replaced it.
        Outdated,
    }

    /// Whether a license type can be bought.
    LicenseTypeStatus {
        /// It can.
        Active,
        /// It can't any more.
        Retired,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        BatchKind, BatchStatus, Category, ClubStatus, ItemOutcome, Language, LetterFailure, LetterKind,
        LetterStatus, LicenseStatus, LicenseTypeStatus, OrderStatus, PaymentProvider, ReceiptKind, Role,
        SalesGrouping, ScanOutcome, Standing, SuspensionKind, SuspensionStatus, TermsStatus, UserRole,
        Verdict, Word,
    };

    fn texts_are_those_of_json<
        T: Word + serde::Serialize + std::str::FromStr + PartialEq + std::fmt::Debug,
    >() {
        for word in T::VARIANTS {
            assert_eq!(serde_json::to_value(word).unwrap(), word.as_str());
            assert_eq!(word.as_str().parse().ok(), Some(*word));
        }
    }

    #[test]
    fn a_word_has_one_text() {
        texts_are_those_of_json::<Category>();
        texts_are_those_of_json::<Role>();
        texts_are_those_of_json::<OrderStatus>();
        texts_are_those_of_json::<LicenseStatus>();
        texts_are_those_of_json::<LicenseTypeStatus>();
        texts_are_those_of_json::<ClubStatus>();
        texts_are_those_of_json::<TermsStatus>();
        texts_are_those_of_json::<PaymentProvider>();
        texts_are_those_of_json::<UserRole>();
        texts_are_those_of_json::<Language>();
        texts_are_those_of_json::<ReceiptKind>();
        texts_are_those_of_json::<LetterKind>();
        texts_are_those_of_json::<LetterStatus>();
        texts_are_those_of_json::<LetterFailure>();
        texts_are_those_of_json::<SalesGrouping>();
        texts_are_those_of_json::<Verdict>();
        texts_are_those_of_json::<ScanOutcome>();
        texts_are_those_of_json::<Standing>();
        texts_are_those_of_json::<SuspensionStatus>();
        texts_are_those_of_json::<SuspensionKind>();
        texts_are_those_of_json::<BatchKind>();
        texts_are_those_of_json::<BatchStatus>();
        texts_are_those_of_json::<ItemOutcome>();
        assert_eq!(Category::texts()[2], "track_day");
    }
}
