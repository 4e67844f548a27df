//! The routes of agents, with a runtime behind them that asks the simulated provider.

mod errors;
mod events;
mod people;
mod pressure;
mod rooms;
mod routes;
pub(crate) mod stage;
mod tenants;
