//! Whose rows a caller may see.

use query::{Access, Conditions};
use read_model::Scope;
use service::auth::{Principal, Role};

/// Every row, on a route that only staff may use.
pub(crate) fn all_rows(principal: &Principal) -> Access {
    Access::Reader {
        reader: principal.user_id,
        rows: Conditions::default(),
        few: false,
    }
}

/// Staff and admins see everything, organizers also their clubs', customers their own.
pub(crate) fn scope(principal: &Principal) -> Scope {
    if principal.is_staff() {
        Scope::Everything
    } else if principal.has(Role::Organizer) {
        Scope::OwnAndClubs {
            user_id: principal.user_id,
            clubs: principal.clubs.clone(),
        }
    } else {
        Scope::Own(principal.user_id)
    }
}

/// What a caller may see of a resource. `of` is the scope of the resource.
pub(crate) fn access(principal: &Principal, of: fn(&Scope) -> Conditions) -> Access {
    let scope = scope(principal);
    Access::Reader {
        reader: principal.user_id,
        rows: of(&scope),
        few: matches!(scope, Scope::Own(_)),
    }
}
