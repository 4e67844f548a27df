//! Claims about the wire formats, as a caller of the crate sees them. Fixtures are written after the providers'
//! documentation, in the shapes that real clients and servers send.

#[cfg(test)]
mod answer;
#[cfg(test)]
mod dialogue;
#[cfg(test)]
mod digest;
#[cfg(test)]
mod edit;
#[cfg(test)]
mod error_pages;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod json;
#[cfg(test)]
mod price;
#[cfg(test)]
mod request;
#[cfg(test)]
mod screen;
#[cfg(test)]
mod sse;
#[cfg(test)]
mod stream;
#[cfg(test)]
mod transcript;
#[cfg(test)]
mod wire;
