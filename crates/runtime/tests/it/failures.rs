//! Models that fail: tried again where that helps, ended honestly where it doesn't.

use seawall_runtime::Status;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_is_tried_again() {
    let stage = Stage::new();
    for (name, directive) in [
        ("limited", "sim:error 429 retry-after=0"),
        ("broken", "sim:error 500"),
        ("overloaded", "sim:error 529"),
    ] {
        let id = stage.agent(name).await;
        let before = stage.sim.stats().requests;
        let completed = stage.complete(&id, "m1", directive).await;
        assert_eq!(completed.status, Status::Failed, "{name}");
        assert_eq!(stage.sim.stats().requests - before, 4, "{name}: once, and three times more");
        assert!(completed.text.is_none(), "{name}: no success with nothing");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_pass_ends_the_turn_at_once_with_its_class() {
    let stage = Stage::new();
    for (name, directive, class) in
        [("unknown", "sim:error 401", "authentication"), ("wrong", "sim:error 400", "invalid")]
    {
        let id = stage.agent(name).await;
        let before = stage.sim.stats().requests;
        let completed = stage.complete(&id, "m1", directive).await;
        let (code, message) = completed.error.unwrap();
        assert_eq!((completed.status, code.as_str()), (Status::Failed, class), "{name}: {message}");
        assert_eq!(stage.sim.stats().requests - before, 1, "{name}");
        // The turn is over, the agent is not: the next message is asked about, with the first one, which still fails.
        assert_eq!(stage.complete(&id, "m2", "and now?").await.status, Status::Failed, "{name}");
        assert_eq!(stage.sim.stats().requests - before, 2, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_breaks_off_is_no_answer() {
    let stage = Stage::new();
    for provider in ["openai", "openai-responses", "anthropic", "gemini"] {
        let id = stage.agent_of(provider, provider, None).await;
        let completed =
            stage.complete(&id, "m1", "sim:disconnect after=2\nsim:text many words that never come").await;
        assert_eq!(completed.status, Status::Failed, "{provider}");
        let (code, _) = completed.error.unwrap();
        assert_eq!(code, "unavailable", "{provider}");
    }
}
