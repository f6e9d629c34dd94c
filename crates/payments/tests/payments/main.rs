//! The adapter and the emulator against each other over real HTTP, and the adapter against providers that misbehave.
//! One binary, so that the crate links once.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic, and says where"
)]

mod adapter_on_emulator;
mod adapter_on_hostile_provider;
mod both_providers;
mod emulator_api;
mod emulator_page;
mod emulator_portal;
mod emulator_restart;
mod emulator_webhooks;
mod inbox;
mod misbehaviours;
mod nexi_on_emulator;
mod nexi_webhooks;
mod receiver;
mod running;
mod scripted_provider;
mod webhook_signature;
