//! The routes of agents, with a runtime behind them that asks the simulated provider.

mod errors;
mod events;
mod people;
mod pressure;
mod rooms;
mod routes;
mod stage;
mod tenants;
