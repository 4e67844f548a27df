//! What a store that was closed leaves behind.

use seawall_store::conformance::agents::{life, run};

use super::opened;

#[test]
fn a_store_that_is_closed_leaves_one_file_also_where_its_log_was_moved() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("seawall.db");
    let there = file.clone();
    run(
        || async move { opened(&there) },
        |opened| {
            Box::pin(async move {
                // The log is moved beside the writer every 400 writes, for as long as that takes.
                for seed in 1..=12 {
                    life(opened, seed, 80).await;
                }
                opened.other.close().await.unwrap();
                opened.store.close().await.unwrap();
            })
        },
    );
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [file], "its log and the index of that are gone");
}
