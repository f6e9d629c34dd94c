//! Whose requests share a limit.

/// A class of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Every request but those of providers, by address and before the login is known: many people share one address.
    Address,
    /// Requests without a login, and those whose login is refused, by address.
    Public,
    /// A customer.
    Customer,
    /// An organizer: the phones at the gates of one organizer share a login.
    Organizer,
    /// Staff and administrators.
    Staff,
    /// Notifications of payment providers, by address. Customers can't use it up.
    Webhook,
}

impl Class {
    /// All of them, in the order in which settings are shown.
    pub const ALL: [Self; 6] = [
        Self::Address,
        Self::Public,
        Self::Customer,
        Self::Organizer,
        Self::Staff,
        Self::Webhook,
    ];

    /// Its name in settings, headers and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Public => "public",
            Self::Customer => "customer",
            Self::Organizer => "organizer",
            Self::Staff => "staff",
            Self::Webhook => "webhook",
        }
    }

    /// The class of that name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}
