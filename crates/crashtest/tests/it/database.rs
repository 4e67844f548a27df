//! A PostgreSQL of one test, which it may kill.

use crate::plan::Place;

/// A server in a folder of its own. It ends with the test.
pub(crate) struct Postgres(seawall_test_support::Postgres);

impl Postgres {
    pub(crate) fn start() -> Self {
        // What survives a machine is not what these tests are about.
        Self(seawall_test_support::Postgres::start("fsync = off\nfull_page_writes = off"))
    }

    pub(crate) fn begin(&self) {
        self.0.server.start();
    }

    /// Its processes end at once, whatever they are at.
    pub(crate) fn kill(&self) {
        self.0.server.kill();
    }

    pub(crate) fn place(&self) -> Place {
        Place::Postgres(self.0.url.clone())
    }
}
