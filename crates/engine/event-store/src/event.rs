//! The shortest way to an event type: one serde type is one event.

/// Makes a serde type an event with its own name and this version: implements
/// [`DomainEvent`](cqrs_es::DomainEvent) and [`EventPayload`](envelope::EventPayload).
#[macro_export]
macro_rules! event {
    ($name:ident, $version:literal) => {
        impl $crate::cqrs_es::DomainEvent for $name {
            fn event_type(&self) -> String {
                stringify!($name).to_owned()
            }

            fn event_version(&self) -> String {
                $version.to_owned()
            }
        }

        impl $crate::EventPayload for $name {
            fn event_type(&self) -> &str {
                stringify!($name)
            }

            fn event_version(&self) -> &str {
                $version
            }

            fn encode(
                &self,
            ) -> ::core::result::Result<Box<$crate::serde_json::value::RawValue>, $crate::serde_json::Error>
            {
                $crate::serde_json::value::to_raw_value(self)
            }

            fn decode(
                event_type: &str,
                event_version: &str,
                payload: &str,
            ) -> ::core::result::Result<Self, $crate::DecodeError> {
                if (event_type, event_version) != (stringify!($name), $version) {
                    return Err($crate::DecodeError::unknown(event_type, event_version));
                }
                $crate::serde_json::from_str(payload)
                    .map_err(|error| $crate::DecodeError::malformed(event_type, event_version, &error))
            }
        }
    };
}
