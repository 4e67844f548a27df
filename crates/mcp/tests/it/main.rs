//! The proxy in front of a scripted server over HTTP: what goes out, what comes back, and who may have it. Servers that are
//! started are tested through the binary, which starts them.

// `cfg(test)` on each: the lints that let tests unwrap look for it.
#[cfg(test)]
mod passing;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod streams;
