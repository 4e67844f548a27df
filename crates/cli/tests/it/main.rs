//! End-to-end tests of the `seawall` binary: real processes, real sockets, real files.

mod support;

mod faults;
mod first_run;
