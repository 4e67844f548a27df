//! What a guarded program relies on. What broke in its peers is a test here, with the opposite result.

// `cfg(test)` on each: the lints that let tests unwrap look for it.
#[cfg(test)]
mod approvals;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod functions;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod watched;
