//! The proxy: one request's life from accept to settle.
