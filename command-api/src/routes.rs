//! One file per operation.

pub(crate) mod create_license_type;
pub(crate) mod place_order;
pub(crate) mod register_club;
pub(crate) mod resolve_capture;
pub(crate) mod set_price;
pub(crate) mod vipps_webhook;
pub(crate) mod withdraw_price;
