//! Declares the events of one aggregate from one list, so that type, version and shape stand in one place.

/// `events! { /// doc … pub enum OrderEvent { /// doc … OrderPlaced: "1", … } }`: an enum with one variant per payload
/// struct of the same name, `cqrs_es::DomainEvent` and [`envelope::EventPayload`].
macro_rules! events {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident: $version:literal,)+ }) => {
        $(#[$meta])*
        #[allow(
            clippy::large_enum_variant,
            reason = "decoded, applied and dropped: a box per event would cost more than it saves"
        )]
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_meta])* $variant($variant),)+
        }

        impl envelope::EventPayload for $name {
            const UPCASTERS: &'static [envelope::Upcaster] = crate::upcast::UPCASTERS;
            const MERGERS: &'static [envelope::Merger] = crate::upcast::MERGERS;

            fn event_type(&self) -> &'static str {
                match self { $(Self::$variant(_) => stringify!($variant),)+ }
            }

            fn event_version(&self) -> &'static str {
                match self { $(Self::$variant(_) => $version,)+ }
            }

            fn encode(&self) -> Result<Box<serde_json::value::RawValue>, serde_json::Error> {
                match self { $(Self::$variant(payload) => serde_json::value::to_raw_value(payload),)+ }
            }

            fn decode(
                event_type: &str,
                event_version: &str,
                payload: &str,
            ) -> Result<Self, envelope::DecodeError> {
                match (event_type, event_version) {
                    $((stringify!($variant), $version) => serde_json::from_str(payload)
                        .map(Self::$variant)
                        .map_err(|error| envelope::DecodeError::malformed(event_type, event_version, &error)),)+
                    _ => Err(envelope::DecodeError::unknown(event_type, event_version)),
                }
            }
        }

        impl $name {
            /// Type, version and shape of each.
            pub(crate) fn schemas() -> Vec<(&'static str, &'static str, schemars::Schema)> {
                vec![$((stringify!($variant), $version, crate::shape::written::<$variant>()),)+]
            }
        }

        impl cqrs_es::DomainEvent for $name {
            fn event_type(&self) -> String {
                envelope::EventPayload::event_type(self).to_owned()
            }

            fn event_version(&self) -> String {
                envelope::EventPayload::event_version(self).to_owned()
            }
        }

        $(impl From<$variant> for $name {
            fn from(payload: $variant) -> Self {
                Self::$variant(payload)
            }
        })+
    };
}

pub(crate) use events;
