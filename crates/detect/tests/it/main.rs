//! What the detectors promise, from outside.

#[cfg(test)]
mod clean;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod injection;
#[cfg(test)]
mod json;
#[cfg(test)]
mod linear;
#[cfg(test)]
mod members;
#[cfg(test)]
mod network;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod recall;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod streaming;
#[cfg(test)]
mod taint;
