//! The fake provider on its own port. Prints one line when it answers: `upstream ready listen=ADDRESS`.

use std::io::Write;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

/// A provider with fixed answers, for benches
#[derive(Debug, Parser)]
struct Arguments {
    /// Address and port; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(&arguments.listen).await?;
        writeln!(std::io::stdout(), "upstream ready listen={}", listener.local_addr()?)?;
        seawall_bench::provider::serve(listener).await?;
        Ok(())
    })
}
