//! The authenticated caller: id, roles and clubs.

use std::collections::BTreeSet;

use uuid::Uuid;

/// The authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Derived from issuer and subject: the same person has the same id in every token, at every instance.
    pub user_id: Uuid,
    /// Never empty.
    pub roles: BTreeSet<Role>,
    /// The clubs an organizer acts for; empty for everyone else.
    pub clubs: Vec<Uuid>,
}

/// The roles of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Buys licenses. The role of a token that names no other.
    Customer,
    /// Runs activities for named clubs.
    Organizer,
    /// Works at the federation.
    Staff,
    /// Staff who also hands out roles and erases people.
    Admin,
}

impl Role {
    /// The role of that name in a token, `None` for one we don't know.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "customer" => Some(Self::Customer),
            "organizer" => Some(Self::Organizer),
            "staff" => Some(Self::Staff),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }
}

impl Role {
    /// Its name in tokens and metadata.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Organizer => "organizer",
            Self::Staff => "staff",
            Self::Admin => "admin",
        }
    }
}

impl Principal {
    /// The role with the most rights.
    pub fn highest_role(&self) -> Option<Role> {
        self.roles.last().copied()
    }

    /// Whether the caller has this very role.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether the caller may do what staff may: staff and admins.
    pub fn is_staff(&self) -> bool {
        self.has(Role::Staff) || self.has(Role::Admin)
    }

    /// Whether the caller acts for this club as its organizer.
    pub fn organizes(&self, club_id: Uuid) -> bool {
        self.has(Role::Organizer) && self.clubs.contains(&club_id)
    }
}
