//! Confines a child process.
