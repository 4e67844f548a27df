//! What the checkpoint promises about calls of tools.

// `cfg(test)` on each: the lints that let tests unwrap look for it.
#[cfg(test)]
mod asking;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod order;
#[cfg(test)]
mod results;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod targets;
