//! Functions behind `#[guard]`.

use std::path::PathBuf;

use seawall_guard::{Code, Error, guard, run};

use crate::stage::Stage;

#[guard]
fn write_file(path: PathBuf, content: String) -> std::io::Result<()> {
    std::fs::write(path, content)
}

#[guard(name = "mail.read")]
fn read_mail(mut number: u32) -> Result<String, String> {
    number += 1;
    if number == 1 {
        Err("no such mail".to_owned())
    } else {
        Ok(format!("{number} from jane.doe@corp-mail.com"))
    }
}

#[guard(effects(note = "fs_read", text = "ignore"), cost = "0.6")]
fn annotate(note: String, text: String) -> usize {
    note.len() + text.len()
}

/// Nothing that can be written or read.
struct Opaque;

#[guard]
fn opaque() -> Opaque {
    Opaque
}

struct Shop {
    prices: Vec<u32>,
}

impl Shop {
    #[guard]
    fn price(&self, index: usize) -> Option<u32> {
        self.prices.get(index).copied()
    }
}

#[guard]
async fn later(path: PathBuf) -> PathBuf {
    std::future::ready(path).await
}

fn code<T>(result: Result<T, Error>) -> Option<Code> {
    result.err().and_then(|error| error.code())
}

#[test]
fn a_guarded_function_writes_into_the_sandbox_or_not_at_all() {
    let stage = Stage::new();
    let _run = run(stage.options("fs_safe")).unwrap();
    write_file("test.txt".into(), "hello".to_owned()).unwrap().unwrap();
    assert_eq!(std::fs::read_to_string(stage.sandbox().join("test.txt")).unwrap(), "hello");
    assert_eq!(code(write_file("../out".into(), "x".to_owned())), Some(Code::FsTraversal));
    assert!(write_file("no/such/folder".into(), "x".to_owned()).unwrap().is_err(), "its own error");
    assert!(!stage.folder().join("out").exists());
}

#[test]
fn outside_of_any_run_it_does_nothing() {
    let error = write_file("test.txt".into(), "hello".to_owned()).unwrap_err();
    assert!(matches!(error, Error::Config(message) if message.contains("write_file")));
}

#[test]
fn what_it_gives_is_looked_into_where_that_can_be() {
    let stage = Stage::new();
    let _run = run(stage.options("strict")).unwrap();
    assert_eq!(read_mail(1).unwrap(), Ok("2 from [REDACTED:email]".to_owned()));
    assert_eq!(read_mail(0).unwrap(), Err("no such mail".to_owned()));
    assert_eq!(Shop { prices: vec![7] }.price(0).unwrap(), Some(7));
    assert_eq!(code(opaque()), Some(Code::ToolContract), "what can't be looked into fails closed");
    let _other = run(stage.options("safe")).unwrap();
    opaque().unwrap();
}

#[test]
fn what_is_declared_holds() {
    let stage = Stage::new();
    let run = run(stage.options("safe").max_cost_usd("1".parse().unwrap())).unwrap();
    assert_eq!(code(annotate("/etc/passwd".to_owned(), String::new())), Some(Code::FsOutsideRoot));
    annotate("a".to_owned(), "/etc/passwd".to_owned()).unwrap();
    assert_eq!(run.spent_usd(), "0.6".parse().unwrap());
    assert_eq!(code(annotate("a".to_owned(), String::new())), Some(Code::BudgetExceeded));
}

#[test]
fn an_async_function_is_guarded_too() {
    let stage = Stage::new();
    let _run = run(stage.options("fs_safe")).unwrap();
    let mut future = std::pin::pin!(later("a".into()));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(gave) = future.as_mut().poll(&mut context) else { panic!() };
    assert_eq!(gave.unwrap(), stage.sandbox().join("a"));
}
