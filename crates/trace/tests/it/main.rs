//! The trace on a real disk: written, read, verified, recovered, collected.

// `cfg(test)` on each: the lints that let tests unwrap look for it.
#[cfg(test)]
mod exporting;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod recovering;
#[cfg(test)]
mod replaying;
#[cfg(test)]
mod retaining;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod verifying;
#[cfg(test)]
mod writing;
