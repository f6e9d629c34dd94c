//! What is said to people, in Norwegian (bokmål) and English. Nothing of the inside: no address, version or error.

use super::answer::{Component, ComponentStatus, Feature, FeatureStatus};

/// A text in both languages, Norwegian first.
type Words = [&'static str; 2];

/// What the state of a component means.
pub(super) fn component_words(name: &str, status: ComponentStatus) -> Words {
    use ComponentStatus::{Degraded, Down, Ok, Unknown};
    match (name, status) {
        (_, Unknown) => [
            "Denne serveren vet ikke hvordan det står til.",
            "This server does not know how it is.",
        ],
        ("read_database", Ok) => ["Databasen svarer.", "The database answers."],
        ("read_database", _) => [
            "Databasen som viser data, svarer ikke.",
            "The database that shows data does not answer.",
        ],
        ("updates", Ok) => ["Endringer vises med en gang.", "Changes show at once."],
        ("updates", _) => [
            "Endringer vises forsinket. Ingenting er gått tapt.",
            "Changes show late. Nothing is lost.",
        ],
        ("reports", Ok) => ["Rapportene er oppdatert.", "The reports are up to date."],
        ("reports", Degraded) => ["Rapportene er forsinket.", "The reports are late."],
        ("reports", Down) => ["Rapportene kan ikke leses.", "The reports cannot be read."],
        ("command_api", Ok) => [
            "Bestillinger og endringer tas imot.",
            "Orders and changes are taken.",
        ],
        ("command_api", _) => [
            "Bestillinger og endringer kan ikke tas imot.",
            "Orders and changes cannot be taken.",
        ],
        ("login", Ok) => ["Innlogging virker.", "Login works."],
        ("login", _) => ["Innlogging virker ikke.", "Login does not work."],
        ("redis", Ok) => ["Forespørsler telles felles.", "Requests are counted together."],
        ("redis", _) => [
            "Hver server teller forespørsler for seg. Alt annet virker som før.",
            "Each server counts requests by itself. All else works as before.",
        ],
        ("license_keys", Ok) => ["Lisenser kan signeres.", "Licenses can be signed."],
        ("license_keys", Degraded) => [
            "Lisenser signeres med de forrige nøklene.",
            "Licenses are signed with the last good keys.",
        ],
        _ => ["Lisenser kan ikke signeres.", "Licenses cannot be signed."],
    }
}

/// What a feature is.
pub(super) fn labels(name: &str) -> Words {
    match name {
        "browse" => [
            "se lisenstyper, klubber og vilkår",
            "looking at license types, clubs and terms",
        ],
        "search" => ["søke", "searching"],
        "orders" => ["se bestillinger og lisenser", "looking at orders and licenses"],
        "buy" => ["bestille", "ordering"],
        "check_in" => ["registrere innsjekking", "recording check-ins"],
        "reports" => ["rapporter", "reports"],
        _ => ["følge endringer direkte", "following changes live"],
    }
}

/// How a feature is.
pub(super) fn feature_words(name: &str, status: FeatureStatus) -> Words {
    match (name, status) {
        (_, FeatureStatus::Works) => ["Virker.", "Works."],
        (_, FeatureStatus::Unknown) => [
            "Denne serveren vet ikke om det virker.",
            "This server does not know whether it works.",
        ],
        (_, FeatureStatus::Stale) => [
            "Virker, men de siste endringene vises ikke ennå.",
            "Works, but the latest changes do not show yet.",
        ],
        ("check_in", FeatureStatus::Away) => [
            "Virker ikke akkurat nå. Porten kan kontrollere lisenser uten nett og sende innsjekkingene senere.",
            "Does not work right now. Gates can check licenses without a network and send the check-ins later.",
        ],
        ("follow", FeatureStatus::Away) => [
            "Virker ikke akkurat nå. Det som skjer i mellomtiden, fortelles etterpå.",
            "Does not work right now. What happens meanwhile is told afterwards.",
        ],
        (_, FeatureStatus::Away) => ["Virker ikke akkurat nå.", "Does not work right now."],
    }
}

/// All in a sentence or two: what does not work, what is old, and what works.
pub(super) fn summary(components: &[Component], features: &[Feature]) -> [String; 2] {
    let with = |status| move |feature: &&Feature| feature.status == status;
    let away: Vec<&Feature> = features.iter().filter(with(FeatureStatus::Away)).collect();
    let stale: Vec<&Feature> = features.iter().filter(with(FeatureStatus::Stale)).collect();
    let works: Vec<&Feature> = features.iter().filter(with(FeatureStatus::Works)).collect();
    if away.is_empty() && stale.is_empty() {
        let remarks = |of: fn(&Component) -> &'static str| {
            let unusual = components.iter().filter(|component| {
                matches!(
                    component.status,
                    ComponentStatus::Degraded | ComponentStatus::Down
                )
            });
            unusual.map(of).collect::<Vec<_>>()
        };
        let said = |first, remarks: Vec<&str>| [vec![first], remarks].concat().join(" ");
        return [
            said("Alt virker.", remarks(|component| component.message_nb)),
            said("Everything works.", remarks(|component| component.message_en)),
        ];
    }
    let list = |said: &str, features: &[&Feature], of: fn(&Feature) -> &'static str| {
        let labels: Vec<&str> = features.iter().map(|feature| of(feature)).collect();
        (!labels.is_empty()).then(|| format!("{said}: {}.", labels.join(", ")))
    };
    let nb = |feature: &Feature| feature.label_nb;
    let en = |feature: &Feature| feature.label_en;
    let joined = |parts: [Option<String>; 3]| parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    [
        joined([
            list("Virker ikke", &away, nb),
            list("Viser ikke de siste endringene", &stale, nb),
            list("Virker", &works, nb),
        ]),
        joined([
            list("Does not work", &away, en),
            list("Does not show the latest changes", &stale, en),
            list("Works", &works, en),
        ]),
    ]
}
