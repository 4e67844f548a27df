//! Data from a sensitive source that shows up again on its way out.
//!
//! What a sensitive source gave is remembered as fingerprints, never as text.
