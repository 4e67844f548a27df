//! The HTTP server: listening, our own API, health, metrics, reload, drain.
