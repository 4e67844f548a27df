//! A proxy that must let nothing through, and how it says so.

use super::format::Format;
use super::program::{Program, Setup, one_upstream};
use super::raw::Answer;
use super::upstream::{Reply, Upstream};

/// A proxy whose upstream must never be asked.
pub(crate) fn guarded(config: &str) -> (Program, Upstream) {
    let upstream = Upstream::always(Reply::json("{}"));
    (Setup::proxy(&format!("{config}\n{}", one_upstream(&upstream.url()))).start(), upstream)
}

/// Asserts that it was refused in this way, in the shape of its provider.
pub(crate) fn refused(format: Format, answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(format.error(answer)["code"], code, "{answer:?}");
}

/// Asserts that nothing that came before has hurt the process.
pub(crate) async fn is_alive(server: &Program) {
    assert_eq!(server.get("/health").await.json()["status"], "healthy");
    assert_eq!(server.metrics().await.sum("seawall_panics_total", &[]), 0.0);
}
