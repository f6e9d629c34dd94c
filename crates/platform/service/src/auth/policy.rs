//! Who may use a route. A program declares a table of [`Rule`]s and puts [`guarded`] around its routes; a handler takes
//! the [`Caller`], and asks it about the thing that the request names. Each request is charged to the limits of its reader
//! here, where the reader is known.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use super::authenticator::Authenticator;
use super::principal::{Principal, Role};
use crate::http::ClientAddress;
use crate::limits::{Class, Limiter, Reader};
use crate::problem::Problem;

/// Who may use a route: which login it takes, and whose the thing must be that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// Everyone, without a login. A token that comes along is not looked at.
    Public,
    /// Another system that signs what it sends. The handler checks the signature.
    Provider,
    /// The holder of a signed link. The handler checks it.
    Capability,
    /// Everyone with a login, about themselves.
    Anyone,
    /// The owner of the thing, and no one else.
    Owner,
    /// The owner of the thing, and staff.
    OwnerOrStaff,
    /// The owner of the thing, and administrators.
    OwnerOrAdmin,
    /// Organizers of the club that the thing belongs to, and staff.
    OrganizerOfClub,
    /// The owner of the thing, organizers of all clubs that it belongs to, and staff.
    Theirs,
    /// Staff and administrators.
    Staff,
    /// Administrators.
    Admin,
}

/// Who may use one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The method; `GET` includes `HEAD`.
    pub method: &'static str,
    /// The path as the router and the OpenAPI document have it.
    pub path: &'static str,
    /// Who may use it.
    pub who: Who,
}

impl Rule {
    /// A row of the table.
    pub const fn new(method: &'static str, path: &'static str, who: Who) -> Self {
        Self { method, path, who }
    }
}

/// Whose the thing is that a request names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Whose<'a> {
    /// Who owns it.
    pub owner: Option<Uuid>,
    /// Which clubs it belongs to.
    pub clubs: &'a [Uuid],
}

impl Who {
    /// Whether the route takes a login.
    pub const fn needs_login(self) -> bool {
        !matches!(self, Self::Public | Self::Provider | Self::Capability)
    }

    /// Whether these roles may use the route for anything at all.
    pub fn takes(self, principal: &Principal) -> bool {
        match self {
            Self::Staff => principal.is_staff(),
            Self::Admin => principal.has(Role::Admin),
            Self::OrganizerOfClub => principal.is_staff() || principal.has(Role::Organizer),
            _ => true,
        }
    }

    /// Whether the caller may use the route for this thing.
    pub fn admits(self, principal: &Principal, whose: Whose<'_>) -> bool {
        let owns = whose.owner == Some(principal.user_id);
        let organizes = !whose.clubs.is_empty() && whose.clubs.iter().all(|club| principal.organizes(*club));
        match self {
            Self::Public | Self::Provider | Self::Capability | Self::Anyone => true,
            Self::Owner => owns,
            Self::OwnerOrStaff => owns || principal.is_staff(),
            Self::OwnerOrAdmin => owns || principal.has(Role::Admin),
            Self::OrganizerOfClub => organizes || principal.is_staff(),
            Self::Theirs => owns || organizes || principal.is_staff(),
            Self::Staff => principal.is_staff(),
            Self::Admin => principal.has(Role::Admin),
        }
    }
}

/// The caller of a route that takes a login, with the row that let them in.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who they are.
    pub principal: Principal,
    /// The route's row.
    pub who: Who,
}

impl Caller {
    /// 404 unless the caller may use this route for that thing: what someone may not see does not exist for them.
    pub fn may(&self, whose: Whose<'_>) -> Result<(), Problem> {
        if self.who.admits(&self.principal, whose) {
            Ok(())
        } else {
            Err(Problem::not_found())
        }
    }

    /// As [`may`](Self::may), of what one user owns.
    pub fn may_of_owner(&self, owner: Uuid) -> Result<(), Problem> {
        self.may(Whose {
            owner: Some(owner),
            clubs: &[],
        })
    }

    /// As [`may`](Self::may), of what belongs to one club.
    pub fn may_of_club(&self, club_id: Uuid) -> Result<(), Problem> {
        self.may(Whose {
            owner: None,
            clubs: &[club_id],
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // Only a route without a login, or one outside `guarded`, has none.
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(Problem::unauthorized)
    }
}

/// Puts the table in front of all routes that `router` has so far. A route without a row answers no request.
pub fn guarded<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    policy: &'static [Rule],
    state: &S,
) -> Router<S>
where
    Authenticator: FromRef<S>,
    Limiter: FromRef<S>,
{
    let gate = Gate {
        policy,
        limiter: Limiter::from_ref(state),
        authenticator: Authenticator::from_ref(state),
    };
    // Cloned for each request.
    router.route_layer(from_fn_with_state(Arc::new(gate), guard))
}

struct Gate {
    policy: &'static [Rule],
    limiter: Limiter,
    authenticator: Authenticator,
}

async fn guard(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    if request.method() == Method::OPTIONS {
        return next.run(request).await;
    }
    let who = match gate.who(&request) {
        Ok(who) => who,
        Err(problem) => return problem.into_response(),
    };
    let address = ClientAddress::of(&request);
    // A login costs more than this does.
    let (verdict, admitted) = if who != Who::Provider
        && let Err(refused) = gate.limiter.arrives(address)
    {
        (refused, Ok(()))
    } else {
        let admitted = gate.admit(who, &mut request).await;
        let reader = reader(who, request.extensions().get(), address);
        (gate.limiter.check(&reader).await, admitted)
    };
    let mut response = match (verdict.refusal(), admitted) {
        (Some(problem), _) | (None, Err(problem)) => problem.into_response(),
        (None, Ok(())) => next.run(request).await,
    };
    verdict.mark(response.headers_mut());
    response
}

/// Whose limits count. A login that is refused is none.
fn reader(who: Who, principal: Option<&Principal>, address: IpAddr) -> Reader {
    match (who, principal) {
        (Who::Provider, _) => Reader::Provider(address),
        (_, None) => Reader::Anonymous(address),
        (_, Some(principal)) => Reader::Known {
            class: match principal.highest_role() {
                Some(Role::Staff | Role::Admin) => Class::Staff,
                Some(Role::Organizer) => Class::Organizer,
                Some(Role::Customer) | None => Class::Customer,
            },
            user_id: principal.user_id,
            address,
        },
    }
}

impl Gate {
    /// Adds its caller to the request, if the table lets it in.
    async fn admit(&self, who: Who, request: &mut Request) -> Result<(), Problem> {
        if who.needs_login() {
            let principal = self
                .authenticator
                .of_headers(request.headers())
                .await?
                .ok_or_else(Problem::unauthorized)?;
            request.extensions_mut().insert(principal.clone());
            if !who.takes(&principal) {
                return Err(refused(request.method()));
            }
            request.extensions_mut().insert(Caller { principal, who });
        }
        Ok(())
    }

    fn who(&self, request: &Request) -> Result<Who, Problem> {
        let path = request.extensions().get::<MatchedPath>();
        let path = path.map(MatchedPath::as_str).unwrap_or_default();
        let method = match request.method().as_str() {
            "HEAD" => "GET",
            other => other,
        };
        let of_path = || self.policy.iter().filter(|rule| rule.path == path);
        if let Some(rule) = of_path().find(|rule| rule.method == method) {
            return Ok(rule.who);
        }
        let allowed: Vec<&str> = of_path()
            .flat_map(|rule| match rule.method {
                "GET" => &["GET", "HEAD"][..],
                _ => std::slice::from_ref(&rule.method),
            })
            .copied()
            .collect();
        if allowed.is_empty() {
            tracing::error!(path, "a route is not in the policy table");
            return Err(Problem::not_found());
        }
        let problem = Problem::from_status(StatusCode::METHOD_NOT_ALLOWED);
        Err(match HeaderValue::from_str(&allowed.join(",")) {
            Ok(allowed) => problem.header(header::ALLOW, allowed),
            Err(_) => problem,
        })
    }
}

/// A reader does not learn what there is for others; who sends a command gets to know that their role is the reason.
fn refused(method: &Method) -> Problem {
    if method.is_safe() {
        Problem::not_found()
    } else {
        Problem::forbidden()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Who, Whose};
    use crate::auth::{Principal, Role};

    const ME: Uuid = Uuid::from_u128(1);
    const MY_CLUB: Uuid = Uuid::from_u128(2);
    const OTHER: Uuid = Uuid::from_u128(3);

    fn with(role: Role) -> Principal {
        Principal {
            user_id: ME,
            roles: [role].into(),
            clubs: vec![MY_CLUB],
        }
    }

    #[test]
    fn a_thing_of_several_clubs_is_no_single_organizers() {
        let organizer = with(Role::Organizer);
        let of = |clubs| Whose { owner: None, clubs };
        assert!(Who::Theirs.admits(&organizer, of(&[MY_CLUB])));
        for clubs in [&[MY_CLUB, OTHER][..], &[OTHER], &[]] {
            assert!(!Who::Theirs.admits(&organizer, of(clubs)), "{clubs:?}");
            assert!(!Who::OrganizerOfClub.admits(&organizer, of(clubs)), "{clubs:?}");
        }
    }

    #[test]
    fn clubs_without_the_role_count_for_nothing() {
        let customer = with(Role::Customer);
        let whose = Whose {
            owner: None,
            clubs: &[MY_CLUB],
        };
        assert!(!Who::OrganizerOfClub.takes(&customer));
        assert!(!Who::OrganizerOfClub.admits(&customer, whose));
    }

    #[test]
    fn staff_is_no_owner_and_no_admin() {
        let staff = with(Role::Staff);
        let of_another = Whose {
            owner: Some(OTHER),
            clubs: &[],
        };
        assert!(!Who::Owner.admits(&staff, of_another));
        assert!(!Who::OwnerOrAdmin.admits(&staff, of_another));
        assert!(!Who::Admin.takes(&staff));
        assert!(Who::OwnerOrStaff.admits(&staff, of_another));
        let mine = Whose {
            owner: Some(ME),
            clubs: &[],
        };
        assert!(Who::Owner.admits(&staff, mine) && Who::OwnerOrAdmin.admits(&staff, mine));
    }
}
