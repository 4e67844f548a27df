//! How long the decisions about plain actions take: the median of many rounds, in nanoseconds.
//!
//! `cargo run --release -p seawall-detect --example decisions`

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it is run by hand, and prints what it measured"
)]

use std::hint::black_box;
use std::time::Instant;

use seawall_detect::commands::CommandRules;
use seawall_detect::network::NetworkRules;
use seawall_detect::paths::{FileRules, OpenOptions, Symlinks};
use seawall_detect::taint::Taint;
use seawall_types::Effect;

const ROUNDS: usize = 2000;
const CALLS: u32 = 100;

/// The median time of one call, in nanoseconds.
fn nanoseconds(mut call: impl FnMut()) -> u128 {
    let mut rounds: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..CALLS).for_each(|_| call());
            start.elapsed().as_nanos() / u128::from(CALLS)
        })
        .collect();
    rounds.sort_unstable();
    rounds.get(ROUNDS / 2).copied().unwrap_or_default()
}

fn main() {
    let hosts = ["api.openai.com", "*.example.com", "10.0.0.0/8"].map(|text| text.parse().unwrap()).into();
    let network = NetworkRules { hosts: Some(hosts), ports: Some(vec![443]), ..NetworkRules::default() };
    let target = network.judge_url("https://docs.example.com/a").target.unwrap();
    let addresses = ["93.184.215.14".parse().unwrap(), "2606:2800::1".parse().unwrap()];
    let dangerous = CommandRules::dangerous();
    let path = nanoseconds(|| drop(black_box(FileRules::judge_text(black_box("src/paths/lexical.rs")))));
    let url =
        nanoseconds(|| drop(black_box(network.judge_url(black_box("https://docs.example.com/v1/a?b=c")))));
    let answer = nanoseconds(|| drop(black_box(network.judge_addresses(&target, black_box(&addresses)))));
    let command = nanoseconds(|| drop(black_box(dangerous.judge_line(black_box("git log --oneline -n 5")))));
    println!("path, its text       {path:>8}");
    println!("URL                  {url:>8}");
    println!("two addresses        {answer:>8}");
    println!("command line         {command:>8}");
    println!("together             {:>8}", path + url + answer + command);
    files();
    taint();
}

fn files() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("sub")).unwrap();
    std::fs::write(root.path().join("sub/file"), "text").unwrap();
    let also = vec![".git:ro".parse().unwrap()];
    let rules = FileRules {
        root: root.path().into(),
        also,
        max_file_bytes: Some(1 << 20),
        symlinks: Symlinks::Inside,
    };
    let judge = nanoseconds(|| drop(black_box(rules.judge(Effect::FsRead, black_box("sub/file")))));
    let open = nanoseconds(|| {
        drop(rules.open(Effect::FsRead, black_box("sub/file"), OpenOptions::default()).unwrap())
    });
    println!("path, resolved       {judge:>8}");
    println!("path, opened         {open:>8}");
}

fn taint() {
    let text: String =
        (0..200).map(|row: u32| format!("row {row} is {}; ", row.wrapping_mul(2_654_435_761))).collect();
    let mut taint = Taint::default();
    taint.remember("elsewhere", b"something else entirely, which is long enough to be remembered");
    let find = nanoseconds(|| drop(black_box(taint.find(black_box(text.as_bytes())))));
    println!("taint, {} bytes    {find:>8}", text.len());
}
