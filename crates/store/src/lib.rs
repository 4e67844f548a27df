//! What is kept: traits and row types of durable state, and the suite that every store passes.
