//! The entry of a child: it is told its part, plays it, and ends.

use crate::life;
use crate::plan::Plan;

#[test]
#[ignore = "it is a part of the other tests"]
fn plays_its_part() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    // Whoever runs all tests there are has told nothing.
    if line.trim().is_empty() {
        return;
    }
    let plan: Plan = serde_json::from_str(&line).unwrap();
    life::live(&plan);
}
