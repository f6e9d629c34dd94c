//! Whose rows a caller may see.

use read_model::Scope;
use service::auth::{Principal, Role};

/// Staff and admins see everything, organizers also their clubs', everyone their own.
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
