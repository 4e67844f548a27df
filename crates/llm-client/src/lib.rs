//! HTTP transport to model providers, and the simulated provider.
